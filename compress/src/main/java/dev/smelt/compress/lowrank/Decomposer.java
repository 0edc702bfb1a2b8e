package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;

/**
 * Decomposes weighted matrices.
 *
 * <p>The singular directions of T on its smaller side are the eigenvectors of the Gram matrix in
 * f64, which resolves σ down to about 1e-8 σ₁. With Q the leading r directions, Q Qᵀ T is the best
 * rank-r approximation of T.
 *
 * <p>T is taken in units of a power of two near ‖T‖, which is exact and keeps the squares of very
 * small and very large weights within f64.
 */
public final class Decomposer {

  private final LinearAlgebra algebra;

  public Decomposer(LinearAlgebra algebra) {
    this.algebra = algebra;
  }

  /**
   * @param dense W, out×in
   * @param rank k, how many directions are wanted, at most min(out, in)
   */
  public Decomposition decompose(Matrix dense, Weighting weighting, int rank) {
    Matrix t = weighting.apply(algebra, dense);
    double norm = algebra.frobenius(t);
    int exponent = norm == 0 ? 0 : Math.getExponent(norm);
    Matrix weighted = scale(t, -exponent);
    boolean wide = dense.rows() <= dense.cols();
    Eigen eigen = algebra.eigh(algebra.gram(wide ? weighted : algebra.transpose(weighted)));
    Matrix basis = algebra.leadingColumns(eigen.vectors(), rank);
    Matrix transposed = algebra.transpose(basis);
    Matrix left = wide ? basis : algebra.multiply(weighted, basis);
    Matrix right = wide ? algebra.multiply(transposed, weighted) : transposed;
    Matrix a = weighting.undoLeft(algebra, left);
    Matrix b = weighting.undoRight(algebra, scale(right, exponent));
    double[] balance = balance(algebra.rowNorms(algebra.transpose(a)), algebra.rowNorms(b));
    return new Decomposition(
        new Spectrum(singularValues(eigen.values(), exponent), norm),
        algebra.scaleColumns(a, balance),
        algebra.scaleRows(b, Weight.Diagonal.inverse(balance)),
        Route.GRAM);
  }

  private static double[] singularValues(double[] eigenvalues, int exponent) {
    double[] values = new double[eigenvalues.length];
    for (int i = 0; i < values.length; i++) {
      // Rounding can leave eigenvalues of a singular Gram matrix below zero.
      values[i] = Math.scalb(Math.sqrt(Math.max(0, eigenvalues[i])), exponent);
    }
    return values;
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
}
