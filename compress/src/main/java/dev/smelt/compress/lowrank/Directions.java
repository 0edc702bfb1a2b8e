package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/**
 * Leading singular directions of X, m×n with m ≤ n: U C ≈ X with C = Uᵀ X.
 *
 * @param u U, m×k, orthonormal columns
 * @param c C, k×n, orthogonal rows of norm σ₁ ≥ … ≥ σ_k
 * @param values σ, falling: those of C, and smaller ones of X where they are known
 * @param lost how much farther ‖X − UC‖² may be from X than the best matrix of rank k, or of any
 *     lower rank when U and C are cut to it, in units of what the tolerance allows: at most 1 is
 *     good enough
 */
@SuppressWarnings("ArrayRecordComponent") // taken apart by the decomposer, never compared
record Directions(Matrix u, Matrix c, double[] values, double lost) {

  /** ‖UᵀU − I‖ of a good result, per column and unit roundoff. */
  private static final double ORTHOGONALITY = 64;

  /**
   * True when U is orthonormal up to rounding, so that ‖X − UC‖² = ‖X‖² − ‖C‖², and the error is as
   * close to the least one as the tolerance asks for.
   */
  boolean isGood(LinearAlgebra algebra) {
    return lost <= 1 && isOrthonormal(algebra);
  }

  private boolean isOrthonormal(LinearAlgebra algebra) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix products = inner.gram(inner.transpose(u));
      double norm =
          inner.frobenius(inner.subtract(products, inner.identity(u.cols(), u.precision())));
      return norm <= ORTHOGONALITY * Math.sqrt(u.cols()) * u.precision().unitRoundoff();
    }
  }

  /** Rows of norm σ₁ ≥ … ≥ σ_k, up to rounding, as falling numbers. */
  static double[] falling(double[] norms) {
    double[] falling = norms.clone();
    for (int i = 1; i < falling.length; i++) {
      falling[i] = Math.min(falling[i], falling[i - 1]);
    }
    return falling;
  }
}
