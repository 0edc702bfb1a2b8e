package dev.smelt.compress.testing;

import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** Matrix arithmetic by the book, on arrays of rows. */
public final class Plain {

  private Plain() {}

  /** Normal deviates. */
  public static double[][] random(int rows, int cols, long seed) {
    RandomGenerator random = new SplittableRandom(seed);
    double[][] matrix = new double[rows][cols];
    for (double[] row : matrix) {
      Arrays.setAll(row, j -> random.nextGaussian());
    }
    return matrix;
  }

  /** Of rank {@code rank}, in exact arithmetic. */
  public static double[][] ofRank(int rows, int cols, int rank, long seed) {
    return multiply(random(rows, rank, seed), random(rank, cols, ~seed));
  }

  /** With singular values that fall by {@code ratio} from one to the next, roughly. */
  public static double[][] decaying(int rows, int cols, double ratio, long seed) {
    int inner = Math.min(rows, cols);
    double[][] left = random(rows, inner, seed);
    double[] scale = new double[inner];
    Arrays.setAll(scale, i -> Math.pow(ratio, i));
    return multiply(scaleColumns(left, scale), random(inner, cols, ~seed));
  }

  public static double[][] multiply(double[][] a, double[][] b) {
    double[][] product = new double[a.length][b[0].length];
    for (int i = 0; i < a.length; i++) {
      for (int k = 0; k < b.length; k++) {
        for (int j = 0; j < b[0].length; j++) {
          product[i][j] += a[i][k] * b[k][j];
        }
      }
    }
    return product;
  }

  public static double[][] transpose(double[][] a) {
    double[][] transposed = new double[a[0].length][a.length];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < a[0].length; j++) {
        transposed[j][i] = a[i][j];
      }
    }
    return transposed;
  }

  /** A + f B. */
  public static double[][] add(double[][] a, double f, double[][] b) {
    double[][] sum = new double[a.length][a[0].length];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < a[0].length; j++) {
        sum[i][j] = a[i][j] + f * b[i][j];
      }
    }
    return sum;
  }

  public static double[][] subtract(double[][] a, double[][] b) {
    return add(a, -1, b);
  }

  public static double[][] scale(double[][] a, double factor) {
    return add(new double[a.length][a[0].length], factor, a);
  }

  public static double[][] scaleColumns(double[][] a, double[] factors) {
    double[][] scaled = new double[a.length][a[0].length];
    for (int i = 0; i < a.length; i++) {
      for (int j = 0; j < a[0].length; j++) {
        scaled[i][j] = a[i][j] * factors[j];
      }
    }
    return scaled;
  }

  public static double[][] scaleRows(double[][] a, double[] factors) {
    return transpose(scaleColumns(transpose(a), factors));
  }

  public static double frobenius(double[][] a) {
    double norm = 0;
    for (double[] row : a) {
      for (double value : row) {
        norm = Math.hypot(norm, value);
      }
    }
    return norm;
  }

  /** ‖A − B‖ / ‖A‖. */
  public static double relativeError(double[][] a, double[][] b) {
    return frobenius(subtract(a, b)) / frobenius(a);
  }

  /** By one-sided Jacobi rotations, falling. */
  public static double[] singularValues(double[][] a) {
    try (LinearAlgebra algebra = LinearAlgebra.reference()) {
      return algebra.svd(algebra.matrix(a.length, a[0].length, flatten(a))).s();
    }
  }

  /** √Σ_{k>r} σ_k². */
  public static double tail(double[] singularValues, int rank) {
    double tail = 0;
    for (int i = singularValues.length - 1; i >= rank; i--) {
      tail = Math.hypot(tail, singularValues[i]);
    }
    return tail;
  }

  public static double[] flatten(double[][] a) {
    return Arrays.stream(a).flatMapToDouble(Arrays::stream).toArray();
  }

  public static double[][] rows(TensorView view) {
    int cols = (int) view.shape().size(1);
    return rows(view.toDoubles(), cols);
  }

  public static double[][] rows(double[] values, int cols) {
    double[][] rows = new double[values.length / cols][];
    Arrays.setAll(rows, i -> Arrays.copyOfRange(values, i * cols, (i + 1) * cols));
    return rows;
  }

  /** The matrix rounded to f32. */
  public static TestTensor tensor(String name, double[][] a) {
    double[] values = flatten(a);
    float[] rounded = new float[values.length];
    for (int i = 0; i < rounded.length; i++) {
      rounded[i] = (float) values[i];
    }
    return TestTensors.f32(name, Shape.of(a.length, a[0].length), rounded);
  }
}
