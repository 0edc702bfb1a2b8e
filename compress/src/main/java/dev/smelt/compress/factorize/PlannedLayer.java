package dev.smelt.compress.factorize;

/**
 * What is going to happen to a layer.
 *
 * @param out rows of W
 * @param in columns of W
 * @param largestRank the largest rank that may come up; 0 where it stays dense in any case
 * @param seconds that decomposing and certifying it takes, other layers beside it included
 */
public record PlannedLayer(String module, int out, int in, int largestRank, double seconds) {}
