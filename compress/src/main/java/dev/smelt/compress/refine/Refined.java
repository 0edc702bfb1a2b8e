package dev.smelt.compress.refine;

/**
 * What became of a matrix.
 *
 * @param relativeError ‖L (M − A B) R‖ / ‖L M R‖, M the best matrix of full rank for the inputs
 *     that the layer now has
 * @param damping the share of the mean of the diagonal of the inputs' Gram matrix that was added to
 *     it
 */
public record Refined(FactoredMatrix matrix, double relativeError, double damping) {}
