package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.Matrix;

/**
 * The leading k singular triples of T = L W R = U S Vᵀ as factors of W: A = L⁻¹U and B = S Vᵀ R⁻¹,
 * scaled so that every column of A has the norm of its row of B. For every r ≤ k the first r
 * columns and rows multiply to the best approximation of rank r, ‖L(W − AB)R‖² = Σ_{i>r} σᵢ².
 *
 * @param spectrum with at least k singular values
 * @param a out×k
 * @param b k×in
 * @param route that gave the result
 */
public record Decomposition(Spectrum spectrum, Matrix a, Matrix b, Route route) {}
