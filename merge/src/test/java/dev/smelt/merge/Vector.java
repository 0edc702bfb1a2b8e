package dev.smelt.merge;

import java.util.Arrays;
import java.util.function.Function;

/** Geometry of whole arrays, written out. */
final class Vector {

  private Vector() {}

  static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int k = 0; k < a.length; k++) {
      sum += a[k] * b[k];
    }
    return sum;
  }

  static double norm(double[] a) {
    return Math.sqrt(dot(a, a));
  }

  static double[] times(double c, double[] a) {
    return Arrays.stream(a).map(value -> c * value).toArray();
  }

  static double[] plus(double[] a, double[] b) {
    double[] sum = a.clone();
    for (int k = 0; k < a.length; k++) {
      sum[k] += b[k];
    }
    return sum;
  }

  static double[] minus(double[] a, double[] b) {
    return plus(a, times(-1, b));
  }

  static double[] unit(double[] a) {
    return times(1 / norm(a), a);
  }

  /** The angle between two vectors, which is exact for small ones as well (Kahan). */
  static double angle(double[] a, double[] b) {
    double[] u = unit(a);
    double[] v = unit(b);
    return 2 * Math.atan2(norm(minus(u, v)), norm(plus(u, v)));
  }

  /** Of unit vectors the tangent at m that leads to u along the sphere, as long as the way. */
  static double[] logarithm(double[] m, double[] u) {
    double[] beside = minus(u, times(dot(m, u), m));
    return norm(beside) == 0 ? beside : times(angle(m, u) / norm(beside), beside);
  }

  /** The point of the sphere to which a tangent at m leads. */
  static double[] exponential(double[] m, double[] tangent) {
    double way = norm(tangent);
    return way == 0 ? m : plus(times(Math.cos(way), m), times(Math.sin(way) / way, tangent));
  }

  /** A mean of matrices, row by row. */
  static double[] byRows(double[][] theta, int rows, Function<double[][], double[]> mean) {
    int columns = theta[0].length / rows;
    double[] all = new double[theta[0].length];
    for (int r = 0; r < rows; r++) {
      int from = r * columns;
      double[][] row =
          Arrays.stream(theta)
              .map(one -> Arrays.copyOfRange(one, from, from + columns))
              .toArray(double[][]::new);
      System.arraycopy(mean.apply(row), 0, all, from, columns);
    }
    return all;
  }
}
