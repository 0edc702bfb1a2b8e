package dev.smelt.gpu.engine;

/**
 * A thin singular value decomposition A = U S Vᵀ of an m×n matrix, k = min(m, n).
 *
 * @param u U, m×k, orthonormal columns
 * @param s diagonal of S in falling order, not negative, length k
 * @param vt Vᵀ, k×n, orthonormal rows
 */
@SuppressWarnings("ArrayRecordComponent") // a result to take apart, never compared
public record Svd(Matrix u, double[] s, Matrix vt) {}
