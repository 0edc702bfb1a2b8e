package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;

/**
 * How far A·B is from W, computed from the factors as they are stored.
 *
 * @param relativeError ‖W − AB‖ / ‖W‖
 * @param weightedRelativeError ‖L(W − AB)R‖ / ‖LWR‖
 */
public record Certificate(double relativeError, double weightedRelativeError) {

  /** Below it f64 costs nothing, and rounding errors do not average out. */
  private static final long SMALL = 1 << 20;

  /** Rows of W − AB, at 4096 columns, that are computed at a time. */
  private static final int BLOCK = 1 << 22;

  /** ‖δ‖/‖W‖ in units of roundoff, δ what rounding adds to W − AB. */
  private static final double PRODUCT_ERROR = 4;

  /**
   * The largest ‖LδR‖/‖L(W − AB)R‖ for sums from f32 products. As δ has mean 0 and is independent
   * of the error, √N elements of it change the norm by a share of ν²/2 + O(ν/√N): below 1e-7 here.
   */
  private static final double TOLERATED_NOISE = 5e-5;

  /**
   * Products are taken in f32 where all matrices are, and the noise of that stays far below the
   * error; otherwise in f64. Sums are always in f64.
   *
   * @param a out×r, as stored
   * @param b r×in, as stored
   */
  public static Certificate of(
      LinearAlgebra algebra, Matrix dense, Matrix a, Matrix b, Weighting weighting) {
    boolean single =
        dense.precision() == Precision.F32
            && a.precision() == Precision.F32
            && b.precision() == Precision.F32
            && (long) dense.rows() * dense.cols() >= SMALL;
    if (single) {
      Norms norms = Norms.of(algebra, dense, a, b, weighting, Precision.F32);
      if (norms.noise(algebra, weighting, dense.rows(), dense.cols()) <= TOLERATED_NOISE) {
        return norms.certificate();
      }
    }
    return Norms.of(algebra, dense, a, b, weighting, Precision.F64).certificate();
  }

  /** ‖W‖, ‖W − AB‖, ‖LWR‖ and ‖L(W − AB)R‖. */
  private record Norms(double dense, double error, double weighted, double weightedError) {

    static Norms of(
        LinearAlgebra algebra,
        Matrix dense,
        Matrix a,
        Matrix b,
        Weighting weighting,
        Precision precision) {
      if (weighting.isIdentity()) {
        double norm = algebra.frobenius(dense);
        double error = blockwise(algebra, dense, a, b, precision);
        return new Norms(norm, error, norm, error);
      }
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix w = inner.convert(dense, precision);
        double weighted = weighting.norm(inner, w);
        Matrix error =
            inner.multiplyAdd(-1, inner.convert(a, precision), inner.convert(b, precision), 1, w);
        return new Norms(
            inner.frobenius(dense), inner.frobenius(error), weighted, weighting.norm(inner, error));
      }
    }

    /** ‖W − AB‖, some rows at a time. */
    private static double blockwise(
        LinearAlgebra algebra, Matrix dense, Matrix a, Matrix b, Precision precision) {
      int step = Math.max(1, BLOCK / dense.cols());
      double norm = 0;
      try (LinearAlgebra whole = algebra.inner()) {
        Matrix right = whole.convert(b, precision);
        for (int row = 0; row < dense.rows(); row += step) {
          int end = Math.min(dense.rows(), row + step);
          try (LinearAlgebra inner = whole.inner()) {
            Matrix w = inner.convert(inner.rows(dense, row, end), precision);
            Matrix left = inner.convert(inner.rows(a, row, end), precision);
            norm = Math.hypot(norm, inner.frobenius(inner.multiplyAdd(-1, left, right, 1, w)));
          }
        }
      }
      return norm;
    }

    /** An estimate of the noise of f32 in the weighted norms, as a share of the smaller one. */
    double noise(LinearAlgebra algebra, Weighting weighting, int out, int in) {
      double gain =
          Math.sqrt(weighting.left().meanSquare(algebra, out))
              * Math.sqrt(weighting.right().meanSquare(algebra, in));
      double unit = Precision.F32.unitRoundoff();
      double plain = PRODUCT_ERROR * dense / error;
      double inWeights = gain * (Math.sqrt(out) + Math.sqrt(in)) * error;
      double inDense = gain * (Math.sqrt(out) + Math.sqrt(in)) * dense;
      double inError = (gain * PRODUCT_ERROR * dense + inWeights) / weightedError;
      return unit * Math.max(plain, Math.max(inError, inDense / weighted));
    }

    Certificate certificate() {
      return new Certificate(ratio(error, dense), ratio(weightedError, weighted));
    }

    /** A zero matrix is met exactly by zero factors. */
    private static double ratio(double error, double norm) {
      return error == 0 ? 0 : error / norm;
    }
  }
}
