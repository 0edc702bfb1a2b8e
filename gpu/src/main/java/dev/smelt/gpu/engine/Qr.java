package dev.smelt.gpu.engine;

/**
 * A thin QR decomposition A = Q R of an m×n matrix, k = min(m, n). The signs of R's diagonal are
 * not fixed.
 *
 * @param q Q, m×k, orthonormal columns
 * @param r R, k×n, upper triangular
 */
public record Qr(Matrix q, Matrix r) {}
