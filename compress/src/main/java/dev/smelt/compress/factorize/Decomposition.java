package dev.smelt.compress.factorize;

import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/**
 * The singular directions of T = L W R on its smaller side, by the eigenvectors of the Gram matrix
 * in f64, which resolves σ down to about 1e-8 σ₁.
 *
 * <p>With Q the leading r directions, Q Qᵀ T is the best rank-r approximation of T and ‖T − QQᵀT‖²
 * = ‖T‖² − ‖QᵀT‖² = Σ_{k>r} σ_k².
 */
final class Decomposition {

  private final LinearAlgebra algebra;
  private final Weighting weighting;
  private final Matrix weighted;
  private final Matrix directions;
  private final double[] energy;

  /** True when the directions span the output side: out ≤ in. */
  private final boolean wide;

  Decomposition(LinearAlgebra algebra, Matrix dense, Weighting weighting) {
    this.algebra = algebra;
    this.weighting = weighting;
    this.weighted = weighting.apply(algebra, dense);
    this.wide = dense.rows() <= dense.cols();
    Eigen eigen = algebra.eigh(algebra.gram(wide ? weighted : algebra.transpose(weighted)));
    this.directions = eigen.vectors();
    this.energy = eigen.values().clone();
    for (int i = 0; i < energy.length; i++) {
      // Rounding can leave eigenvalues of a singular Gram matrix below zero.
      energy[i] = Math.max(0, energy[i]);
    }
  }

  /** σ², falling, min(out, in) of them. */
  double[] energy() {
    return energy.clone();
  }

  /**
   * A = L⁻¹ U_r S_r^½ (out×r) and B = S_r^½ V_rᵀ R⁻¹ (r×in): both factors carry half of the scale,
   * which suits narrow types best.
   */
  Factors factors(int rank) {
    Matrix basis = algebra.leadingColumns(directions, rank);
    if (wide) {
      Matrix coefficients = algebra.multiply(algebra.transpose(basis), weighted);
      double[] half = halfScale(algebra.rowNorms(coefficients));
      return new Factors(
          weighting.undoLeft(algebra, algebra.scaleColumns(basis, half)),
          weighting.undoRight(algebra, algebra.scaleRows(coefficients, inverse(half))));
    }
    Matrix coefficients = algebra.multiply(weighted, basis);
    double[] half = halfScale(algebra.rowNorms(algebra.transpose(coefficients)));
    return new Factors(
        weighting.undoLeft(algebra, algebra.scaleColumns(coefficients, inverse(half))),
        weighting.undoRight(algebra, algebra.scaleRows(algebra.transpose(basis), half)));
  }

  /** √σ; 1 for directions that carry nothing. */
  private static double[] halfScale(double[] singularValues) {
    double[] half = new double[singularValues.length];
    for (int i = 0; i < half.length; i++) {
      half[i] = singularValues[i] > 0 ? Math.sqrt(singularValues[i]) : 1;
    }
    return half;
  }

  private static double[] inverse(double[] scale) {
    double[] inverse = new double[scale.length];
    for (int i = 0; i < scale.length; i++) {
      inverse[i] = 1 / scale[i];
    }
    return inverse;
  }

  /**
   * @param a out×r
   * @param b r×in
   */
  record Factors(Matrix a, Matrix b) {}
}
