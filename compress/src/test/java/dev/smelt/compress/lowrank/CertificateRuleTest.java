package dev.smelt.compress.lowrank;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.testing.TestDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Certificates of matrices that are large enough for products in f32, against sums in plain Java.
 * The error of the factors is known: it was added to their product.
 */
class CertificateRuleTest {

  private static final int OUT = 1024;
  private static final int IN = 1152;
  private static final int RANK = 6;

  private static final double TOLERANCE = 1e-6;

  private final float[] w = new float[OUT * IN];
  private final float[] a = new float[OUT * RANK];
  private final float[] b = new float[RANK * IN];

  private void make(double error) {
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < a.length; i++) {
      a[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < b.length; i++) {
      b[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < w.length; i++) {
      w[i] = (float) (product(i) + error * random.nextGaussian());
    }
  }

  private double product(int index) {
    double sum = 0;
    for (int k = 0; k < RANK; k++) {
      sum += (double) a[index / IN * RANK + k] * b[k * IN + index % IN];
    }
    return sum;
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, 1e-1, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7})
  void agreesWithPlainSumsForErrorsOfEverySize(double error) {
    make(error);
    double[] dense = new double[w.length];
    double[] rest = new double[w.length];
    for (int i = 0; i < w.length; i++) {
      dense[i] = w[i];
      rest[i] = w[i] - product(i);
    }
    double[] left = roots(OUT, 2);
    double[] right = roots(IN, 3);
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Weighting diagonal = new Weighting(new Weight.Diagonal(left), new Weight.Diagonal(right), 1);
      Weighting cholesky =
          new Weighting(
              new Weight.Cholesky(bidiagonal(algebra, left)),
              new Weight.Cholesky(bidiagonal(algebra, right)),
              1);
      double plain = norm(rest) / norm(dense);
      check(certificate(algebra, Weighting.NONE), plain, plain);
      check(
          certificate(algebra, diagonal),
          plain,
          norm(weighted(rest, left, right, 0)) / norm(weighted(dense, left, right, 0)));
      check(
          certificate(algebra, cholesky),
          plain,
          norm(weighted(rest, left, right, 1)) / norm(weighted(dense, left, right, 1)));
    }
  }

  @Test
  void exactFactorsHaveNoError() {
    make(0);
    for (int i = 0; i < a.length; i++) {
      a[i] = Math.round(a[i]);
    }
    for (int i = 0; i < b.length; i++) {
      b[i] = Math.round(b[i]);
    }
    for (int i = 0; i < w.length; i++) {
      w[i] = (float) product(i);
    }
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      assertThat(certificate(algebra, Weighting.NONE)).isEqualTo(new Certificate(0, 0));
    }
  }

  private static void check(Certificate found, double plain, double weighted) {
    assertThat(found.relativeError()).isCloseTo(plain, within(TOLERANCE * plain));
    assertThat(found.weightedRelativeError()).isCloseTo(weighted, within(TOLERANCE * weighted));
  }

  private Certificate certificate(LinearAlgebra algebra, Weighting weighting) {
    return Certificate.of(
        algebra,
        single(algebra, OUT, IN, w),
        single(algebra, OUT, RANK, a),
        single(algebra, RANK, IN, b),
        weighting);
  }

  private static Matrix single(LinearAlgebra algebra, int rows, int cols, float[] values) {
    return algebra.convert(algebra.matrix(rows, cols, values), Precision.F32);
  }

  private static double[] roots(int size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] roots = new double[size];
    Arrays.setAll(roots, i -> Math.pow(10, 2 * random.nextDouble() - 1));
    return roots;
  }

  /** The roots on the diagonal and half of the next one below it. */
  private static Matrix bidiagonal(LinearAlgebra algebra, double[] roots) {
    int n = roots.length;
    double[] values = new double[n * n];
    for (int i = 0; i < n; i++) {
      values[i * n + i] = roots[i];
      if (i > 0) {
        values[i * n + i - 1] = roots[i] / 2;
      }
    }
    return algebra.matrix(n, n, values);
  }

  /** CᵀXD with the roots on the diagonals and {@code below}/2 times the next one below. */
  private static double[] weighted(double[] x, double[] left, double[] right, int below) {
    double[] half = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int row = i / IN;
      double next = row + 1 < OUT ? below * left[row + 1] / 2 * x[i + IN] : 0;
      half[i] = left[row] * x[i] + next;
    }
    double[] full = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int col = i % IN;
      double next = col + 1 < IN ? below * right[col + 1] / 2 * half[i + 1] : 0;
      full[i] = right[col] * half[i] + next;
    }
    return full;
  }

  private static double norm(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }
}
