package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** An implementation of linear algebra, and what is computed beside it in plain Java. */
abstract class KernelContract {

  /** Backward error of the decompositions, relative to the norm and per row of the matrix. */
  static final double TOLERANCE = 1e-14;

  LinearAlgebra algebra;

  abstract LinearAlgebra open();

  @BeforeEach
  void openAlgebra() {
    algebra = open();
  }

  @AfterEach
  void closeAlgebra() {
    algebra.close();
  }

  static void assertShape(Matrix matrix, int rows, int cols) {
    assertThat(matrix.rows()).isEqualTo(rows);
    assertThat(matrix.cols()).isEqualTo(cols);
  }

  static void assertFalling(double[] values) {
    for (int i = 1; i < values.length; i++) {
      assertThat(values[i]).isLessThanOrEqualTo(values[i - 1]);
    }
  }

  static void assertOrthonormal(double[] q, int m, int k) {
    double[] identity = product(transposed(q, m, k), q, k, m, k);
    for (int i = 0; i < k; i++) {
      identity[i * k + i] -= 1;
    }
    assertThat(norm(identity)).isLessThan(TOLERANCE * m * 4);
  }

  static void assertClose(double[] found, double[] expected, double tolerance) {
    assertThat(found).hasSameSizeAs(expected);
    double[] difference = new double[found.length];
    for (int i = 0; i < found.length; i++) {
      difference[i] = found[i] - expected[i];
    }
    assertThat(norm(difference)).isLessThanOrEqualTo(tolerance);
  }

  static double[] random(int m, int n, long seed) {
    return new Random(seed).doubles((long) m * n, -1, 1).toArray();
  }

  static double[] product(double[] a, double[] b, int m, int k, int n) {
    double[] c = new double[m * n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        for (int l = 0; l < k; l++) {
          c[i * n + j] += a[i * k + l] * b[l * n + j];
        }
      }
    }
    return c;
  }

  static double[] transposed(double[] a, int m, int n) {
    double[] t = new double[a.length];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        t[j * m + i] = a[i * n + j];
      }
    }
    return t;
  }

  static double norm(double[] values) {
    double norm = 0;
    for (double value : values) {
      norm = Math.hypot(norm, value);
    }
    return norm;
  }
}
