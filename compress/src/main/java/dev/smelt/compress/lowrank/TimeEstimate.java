package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * How long decompositions and their certificates will take on a device, from rates measured in one
 * or two seconds: products, eigenvectors and SVDs cost what their number of operations says.
 */
public final class TimeEstimate {

  /** Sides of the matrices that are tried. Rates of larger ones differ by less than a fifth. */
  private static final int PRODUCT_SIDE = 1024;

  private static final int EIGEN_SIDE = 1024;
  private static final int SVD_SIDE = 512;
  private static final int REPEATS = 2;

  /** Of a Gram matrix by halves, m²n: blocks on the diagonal are computed whole. */
  private static final double HALF = 1.15;

  /** How often the elements of W are read and written beside products, at a rate of its own. */
  private static final double PASSES = 10;

  /** Products and bases of a random subspace: what plans come to on most spectra. */
  private static final double FILTER_PRODUCTS = 6;

  private static final double BASES = 5;

  /** Operations per second, or n³ per second for decompositions. */
  private record Rates(double product, double eigen, double svd, double elements) {}

  private final Map<Precision, Rates> rates = new EnumMap<>(Precision.class);
  private final double roughProduct;

  private TimeEstimate(LinearAlgebra algebra) {
    for (Precision precision : Precision.values()) {
      rates.put(precision, measure(algebra, precision));
    }
    Matrix square = algebra.signs(PRODUCT_SIDE, PRODUCT_SIDE, 1, Precision.F32);
    roughProduct =
        2 * cube(PRODUCT_SIDE) / seconds(inner -> inner.multiplyRoughly(square, square), algebra);
  }

  /** Tries out the device. */
  public static TimeEstimate measure(ComputeDevice device) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      return new TimeEstimate(algebra);
    }
  }

  /** Something to be timed. */
  private interface Probe {
    Object run(LinearAlgebra algebra);
  }

  private static Rates measure(LinearAlgebra algebra, Precision precision) {
    Matrix square = algebra.signs(PRODUCT_SIDE, PRODUCT_SIDE, 1, precision);
    Matrix gram = algebra.gram(algebra.signs(EIGEN_SIDE, 2 * EIGEN_SIDE, 2, precision));
    Matrix small = algebra.signs(SVD_SIDE, SVD_SIDE, 3, precision);
    return new Rates(
        2 * cube(PRODUCT_SIDE) / seconds(inner -> inner.multiply(square, square), algebra),
        cube(EIGEN_SIDE) / seconds(inner -> inner.eigh(gram), algebra),
        cube(SVD_SIDE) / seconds(inner -> inner.svd(small), algebra),
        (double) PRODUCT_SIDE
            * PRODUCT_SIDE
            / seconds(inner -> inner.frobenius(inner.subtract(square, square)), algebra));
  }

  /** The least of a few runs: others are slowed down by what else the machine does. */
  private static double seconds(Probe probe, LinearAlgebra algebra) {
    double least = Double.POSITIVE_INFINITY;
    for (int i = 0; i < REPEATS; i++) {
      try (LinearAlgebra inner = algebra.inner()) {
        long start = System.nanoTime();
        probe.run(inner);
        least = Math.min(least, (System.nanoTime() - start) * 1e-9);
      }
    }
    return least;
  }

  private static double cube(double side) {
    return side * side * side;
  }

  /**
   * Seconds to decompose one matrix and certify its factors.
   *
   * @param rank of the directions that are computed
   * @param left whether L is a full matrix, not a diagonal
   * @param right whether R is
   * @param precision that the matrix comes in
   */
  public double seconds(
      int out,
      int in,
      int rank,
      boolean left,
      boolean right,
      Precision precision,
      RouteOptions options) {
    return decomposition(out, in, rank, left, right, precision, options)
        + certificate(out, in, rank, left, right, precision);
  }

  /** Seconds of {@link Decomposer#decompose}. */
  public double decomposition(
      int out,
      int in,
      int rank,
      boolean left,
      boolean right,
      Precision precision,
      RouteOptions options) {
    Rates rate = rates(precision);
    double weights = weights(out, in, left, right) / rate.product();
    double undo =
        ((left ? (double) out * out * rank : 0) + (right ? (double) in * in * rank : 0))
            / rates(Precision.F64).product();
    int m = Math.min(out, in);
    int n = Math.max(out, in);
    Route route = route(m, rank, options.preferred());
    double directions =
        switch (route) {
          case RANDOM -> random(m, n, rank, precision);
          case GRAM -> gram(m, n, rank, precision);
          case SVD -> svd(m, n, precision) + 2.0 * m * n * rank / rate.product();
        };
    return weights + undo + directions + PASSES * out * in / rate.elements();
  }

  /** The route that will be tried first. */
  public static Route route(int smallerSide, int rank, Optional<Route> preferred) {
    return preferred.orElse(RandomRoute.suits(smallerSide, rank) ? Route.RANDOM : Route.GRAM);
  }

  private double gram(double m, double n, double rank, Precision precision) {
    Rates rate = rates(precision);
    double products = HALF * m * m * n + 2 * m * n * rank + rank * rank * m;
    return products / rate.product() + cube(m) / rate.eigen();
  }

  private double random(int m, int n, int rank, Precision precision) {
    Rates rate = rates(precision);
    double l = RandomRoute.columns(m, rank);
    double filter = 2.0 * m * m * l * (FILTER_PRODUCTS + 1);
    double products =
        HALF * m * m * n
            + BASES * 2 * l * l * m
            + 2.0 * m * n * l
            + HALF * l * l * n
            + 2 * l * rank * ((double) m + n)
            + (double) rank * rank * m;
    double filtering = precision == Precision.F32 ? filter / roughProduct : filter / rate.product();
    return products / rate.product() + filtering + cube(l) / rate.eigen();
  }

  private double svd(double m, double n, Precision precision) {
    // Wide matrices are reduced to their triangular factor first.
    return cube(m) / rates(precision).svd() + 6 * m * m * (n - m) / rates(precision).product();
  }

  /** Seconds of {@link Certificate#of}. */
  public double certificate(
      int out, int in, int rank, boolean left, boolean right, Precision precision) {
    double products = 2.0 * out * in * rank + 2 * weights(out, in, left, right);
    return products / rates(precision).product()
        + PASSES / 2 * out * in / rates(precision).elements();
  }

  /** Operations of T = L W R; a triangular root costs half of a full product. */
  private static double weights(double out, double in, boolean left, boolean right) {
    return HALF * ((left ? out * out * in : 0) + (right ? out * in * in : 0));
  }

  private Rates rates(Precision precision) {
    Rates found = rates.get(precision);
    if (found == null) {
      throw new IllegalStateException("no rates of " + precision);
    }
    return found;
  }

  /** f32 operations per second of a product: what all else is measured by. */
  public double productRate() {
    return rates(Precision.F32).product();
  }
}
