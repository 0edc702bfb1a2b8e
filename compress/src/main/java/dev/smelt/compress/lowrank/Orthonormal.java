package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import dev.smelt.gpu.engine.Precision;
import dev.smelt.gpu.engine.Qr;
import java.util.Arrays;

/**
 * Orthonormal columns that span those of Y, m×l.
 *
 * @param vectors m×l
 * @param pivots r_kk = ‖(I − P_{k−1}) y_k‖, where P_{k−1} projects on the columns before
 */
@SuppressWarnings("ArrayRecordComponent") // taken apart at once, never compared
record Orthonormal(Matrix vectors, double[] pivots) {

  /** Pivots this far apart are as far as YᵀY resolves in f32. */
  private static final double RESOLVED = 300;

  /**
   * By Cholesky of YᵀY, Y L⁻ᵀ, in the precision of Y where its condition allows, else in f64, which
   * is good up to 1e7; by Householder reflections beyond. Columns are orthonormal to a few digits:
   * enough to go on with, and once more makes them orthonormal up to rounding.
   */
  static Orthonormal of(LinearAlgebra algebra, Matrix y) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix transposed = inner.transpose(y);
      Matrix lower = inner.cholesky(inner.convert(inner.gram(transposed), Precision.F64));
      double[] pivots = inner.diagonal(lower);
      if (y.precision() == Precision.F64 || spread(pivots) < RESOLVED) {
        Matrix solved = inner.solveLower(inner.convert(lower, y.precision()), transposed);
        return new Orthonormal(algebra.keep(inner.transpose(solved)), pivots);
      }
    } catch (NotPositiveDefiniteException e) {
      if (y.precision() == Precision.F64) {
        return byReflections(algebra, y);
      }
    }
    return inDouble(algebra, y);
  }

  private static Orthonormal inDouble(LinearAlgebra algebra, Matrix y) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix transposed = inner.transpose(y);
      Matrix lower = inner.cholesky(inner.gram(transposed, Precision.F64));
      Matrix solved = inner.solveLower(lower, inner.convert(transposed, Precision.F64));
      Matrix vectors = inner.convert(inner.transpose(solved), y.precision());
      return new Orthonormal(algebra.keep(vectors), inner.diagonal(lower));
    } catch (NotPositiveDefiniteException e) {
      return byReflections(algebra, y);
    }
  }

  private static Orthonormal byReflections(LinearAlgebra algebra, Matrix y) {
    Qr qr = algebra.qr(y);
    double[] pivots = algebra.diagonal(qr.r());
    Arrays.setAll(pivots, i -> Math.abs(pivots[i]));
    return new Orthonormal(qr.q(), pivots);
  }

  /** The largest over the smallest. */
  private static double spread(double[] pivots) {
    double largest = 0;
    double smallest = Double.POSITIVE_INFINITY;
    for (double pivot : pivots) {
      largest = Math.max(largest, pivot);
      smallest = Math.min(smallest, pivot);
    }
    return largest / smallest;
  }
}
