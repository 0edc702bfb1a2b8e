package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;

/**
 * Singular directions as eigenvectors of X Xᵀ. In f32 it resolves σ down to about 3e-4 σ₁, in f64
 * to 1e-8 σ₁.
 */
final class GramRoute {

  /**
   * ‖E‖ / ‖X‖² in units of roundoff, where X Xᵀ + E is what was decomposed exactly. Products and
   * eigensolver stay below 2 on matrices of all kinds; the rest is margin.
   */
  private static final double BACKWARD_ERROR = 8;

  private GramRoute() {}

  /**
   * @param x m×n, m ≤ n
   * @param precision of the Gram matrix and its eigenvectors
   */
  static Directions find(
      LinearAlgebra algebra, Matrix x, int rank, Precision precision, Allowance allowance) {
    try (LinearAlgebra inner = algebra.inner()) {
      Eigen eigen = inner.eigh(inner.gram(x, precision));
      Matrix u = inner.convert(inner.leadingColumns(eigen.vectors(), rank), x.precision());
      double[] eigenvalues = eigen.values();
      double lost =
          allowance.lostTo(
              BACKWARD_ERROR * precision.unitRoundoff() * allowance.total(), eigenvalues, rank);
      double[] values = new double[eigenvalues.length];
      for (int i = 0; i < values.length; i++) {
        // Rounding can leave eigenvalues of a singular Gram matrix below zero.
        values[i] = Math.sqrt(Math.max(0, eigenvalues[i]));
      }
      Matrix c = inner.multiply(inner.transpose(u), x);
      return new Directions(algebra.keep(u), algebra.keep(c), values, lost);
    }
  }
}
