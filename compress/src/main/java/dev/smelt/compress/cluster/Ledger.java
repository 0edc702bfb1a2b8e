package dev.smelt.compress.cluster;

/**
 * What a truncated sum of A_j A_jᵀ has kept and lost: {@code total = kept + dropped}, up to
 * rounding.
 *
 * @param total τ² = Σ‖A_j‖²
 * @param kept Σ λ of the directions that are left, those beyond r included
 * @param dropped the sum of all eigenvalues that were dropped on the way
 */
public record Ledger(double total, double kept, double dropped) {}
