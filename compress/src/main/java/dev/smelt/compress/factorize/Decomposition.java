package dev.smelt.compress.factorize;

import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;

/**
 * The singular directions of T = L W R on its smaller side, by the eigenvectors of the Gram matrix
 * in f64, which resolves σ down to about 1e-8 σ₁.
 *
 * <p>With Q the leading r directions, Q Qᵀ T is the best rank-r approximation of T and ‖T − QQᵀT‖²
 * = ‖T‖² − ‖QᵀT‖² = Σ_{k>r} σ_k².
 *
 * <p>T is taken in units of a power of two near ‖T‖, which is exact and keeps the squares of very
 * small and very large weights within f64.
 */
final class Decomposition {

  private final LinearAlgebra algebra;
  private final Weighting weighting;
  private final int exponent;
  private final Matrix weighted;
  private final Matrix directions;
  private final double[] energy;

  /** True when the directions span the output side: out ≤ in. */
  private final boolean wide;

  Decomposition(LinearAlgebra algebra, Matrix dense, Weighting weighting) {
    this.algebra = algebra;
    this.weighting = weighting;
    Matrix t = weighting.apply(algebra, dense);
    double norm = algebra.frobenius(t);
    this.exponent = norm == 0 ? 0 : Math.getExponent(norm);
    this.weighted = scale(t, -exponent);
    this.wide = dense.rows() <= dense.cols();
    Eigen eigen = algebra.eigh(algebra.gram(wide ? weighted : algebra.transpose(weighted)));
    this.directions = eigen.vectors();
    this.energy = eigen.values().clone();
    for (int i = 0; i < energy.length; i++) {
      // Rounding can leave eigenvalues of a singular Gram matrix below zero.
      energy[i] = Math.max(0, energy[i]);
    }
  }

  /** σ² in units of 4^exponent, falling, min(out, in) of them. Only their proportions matter. */
  double[] energy() {
    return energy.clone();
  }

  /**
   * A (out×r) and B (r×in) with A B = L⁻¹ U_r S_r V_rᵀ R⁻¹. Every column of A has the norm of its
   * row of B, so that neither leaves the range of a narrow type before the other.
   */
  Factors factors(int rank) {
    Matrix basis = algebra.leadingColumns(directions, rank);
    Matrix transposed = algebra.transpose(basis);
    Matrix left = wide ? basis : algebra.multiply(weighted, basis);
    Matrix right = wide ? algebra.multiply(transposed, weighted) : transposed;
    Matrix a = weighting.undoLeft(algebra, left);
    Matrix b = weighting.undoRight(algebra, scale(right, exponent));
    double[] balance = balance(algebra.rowNorms(algebra.transpose(a)), algebra.rowNorms(b));
    return new Factors(
        algebra.scaleColumns(a, balance), algebra.scaleRows(b, Weighting.inverse(balance)));
  }

  /** √(b/a); 1 for directions that carry nothing. */
  private static double[] balance(double[] a, double[] b) {
    double[] balance = new double[a.length];
    for (int i = 0; i < balance.length; i++) {
      balance[i] = a[i] > 0 && b[i] > 0 ? Math.sqrt(b[i]) / Math.sqrt(a[i]) : 1;
    }
    return balance;
  }

  /** X · 2^e, exactly; every e from −1023 to 1023 has its power. */
  private Matrix scale(Matrix x, int e) {
    double[] factors = new double[x.rows()];
    Arrays.fill(factors, Math.scalb(1.0, e));
    return algebra.scaleRows(x, factors);
  }

  /**
   * @param a out×r
   * @param b r×in
   */
  record Factors(Matrix a, Matrix b) {}
}
