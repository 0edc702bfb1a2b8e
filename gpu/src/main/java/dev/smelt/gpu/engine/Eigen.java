package dev.smelt.gpu.engine;

/**
 * A symmetric eigendecomposition A = V Λ Vᵀ.
 *
 * @param values diagonal of Λ in falling order, length n
 * @param vectors V, n×n, orthonormal columns, column i belongs to {@code values[i]}
 */
@SuppressWarnings("ArrayRecordComponent") // a result to take apart, never compared
public record Eigen(double[] values, Matrix vectors) {}
