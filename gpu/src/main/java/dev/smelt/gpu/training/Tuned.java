package dev.smelt.gpu.training;

/**
 * What tuning did; the tuned values are in the network.
 *
 * @param losses the objective on the examples of each step, before the step, in nats per prediction
 * @param trained values that were trained
 * @param examples that were seen, those seen again counted again
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
public record Tuned(double[] losses, long trained, long examples) {}
