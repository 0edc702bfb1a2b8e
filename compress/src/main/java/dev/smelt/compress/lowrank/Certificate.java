package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/**
 * How far A·B is from W, computed from the factors as they are stored.
 *
 * @param relativeError ‖W − AB‖ / ‖W‖
 * @param weightedRelativeError ‖L(W − AB)R‖ / ‖LWR‖
 */
public record Certificate(double relativeError, double weightedRelativeError) {

  /**
   * @param a out×r, as stored
   * @param b r×in, as stored
   */
  public static Certificate of(
      LinearAlgebra algebra, Matrix dense, Matrix a, Matrix b, Weighting weighting) {
    Matrix error = algebra.subtract(dense, algebra.multiply(a, b));
    double plain = ratio(algebra.frobenius(error), algebra.frobenius(dense));
    if (weighting.isIdentity()) {
      return new Certificate(plain, plain);
    }
    double weighted =
        ratio(
            algebra.frobenius(weighting.apply(algebra, error)),
            algebra.frobenius(weighting.apply(algebra, dense)));
    return new Certificate(plain, weighted);
  }

  /** A zero matrix is met exactly by zero factors. */
  private static double ratio(double error, double norm) {
    return error == 0 ? 0 : error / norm;
  }
}
