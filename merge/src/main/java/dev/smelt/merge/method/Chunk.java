package dev.smelt.merge.method;

/**
 * A stretch of a tensor in all models, in f64.
 *
 * @param theta {@code theta[i][k]} is element {@code first + k} of operand i
 * @param fisher likewise the diagonal Fisher information; no rows for methods that do not use it
 * @param first its first element, counted row by row through the whole tensor
 * @param count how many elements; the arrays may be longer
 */
@SuppressWarnings("ArrayRecordComponent") // Filled anew for every chunk, never compared.
public record Chunk(double[][] theta, double[][] fisher, long first, int count) {}
