package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import dev.smelt.gpu.engine.Svd;

/** Singular directions by a full SVD, the safest and slowest way. */
final class SvdRoute {

  /** ‖E‖ / ‖X‖ in units of roundoff, where X + E is what was decomposed exactly. */
  private static final double BACKWARD_ERROR = 4;

  private SvdRoute() {}

  /**
   * @param x m×n, m ≤ n
   * @param precision in which it is computed
   */
  static Directions find(
      LinearAlgebra algebra, Matrix x, int rank, Precision precision, Allowance allowance) {
    try (LinearAlgebra inner = algebra.inner()) {
      Svd svd = inner.svd(inner.convert(x, precision));
      Matrix u = inner.convert(inner.leadingColumns(svd.u(), rank), x.precision());
      Matrix c = inner.multiply(inner.transpose(u), x);
      double error = BACKWARD_ERROR * precision.unitRoundoff();
      // Never more than ‖E‖² is lost; what the roundoff of x itself hides is not asked for.
      double lost = error * error * allowance.total() / allowance.at(0);
      return new Directions(algebra.keep(u), algebra.keep(c), svd.s(), lost);
    }
  }
}
