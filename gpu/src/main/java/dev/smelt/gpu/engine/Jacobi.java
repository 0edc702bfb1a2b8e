package dev.smelt.gpu.engine;

import dev.smelt.gpu.engine.ReferenceKernels.Dense;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Decompositions by plane rotations, in plain Java (Golub and Van Loan, §8.5 and 8.6.3). Slow;
 * backward errors are of the order of n rounding errors of the largest element.
 */
final class Jacobi {

  /** Rotations converge quadratically; 60 sweeps are ten times what any input here needs. */
  private static final int MAX_SWEEPS = 60;

  private static final double EPSILON = Math.ulp(1.0);

  private Jacobi() {}

  /** The rotation (c, s) that diagonalises the symmetric [[app, apq], [apq, aqq]]. */
  private record Rotation(double c, double s) {

    static Rotation of(double app, double aqq, double apq) {
      double tau = (aqq - app) / (2 * apq);
      double t = Math.copySign(1, tau) / (Math.abs(tau) + Math.hypot(1, tau));
      double c = 1 / Math.hypot(1, t);
      return new Rotation(c, t * c);
    }

    void applyToColumns(Dense a, int p, int q) {
      for (int i = 0; i < a.rows(); i++) {
        double x = a.at(i, p);
        double y = a.at(i, q);
        a.set(i, p, c * x - s * y);
        a.set(i, q, s * x + c * y);
      }
    }

    void applyToRows(Dense a, int p, int q) {
      for (int j = 0; j < a.cols(); j++) {
        double x = a.at(p, j);
        double y = a.at(q, j);
        a.set(p, j, c * x - s * y);
        a.set(q, j, s * x + c * y);
      }
    }
  }

  /** A = V Λ Vᵀ by cyclic two-sided rotations. */
  static Eigen eigh(Dense symmetric) {
    int n = symmetric.rows();
    double scale = largest(symmetric);
    Dense a = scaled(symmetric, 1 / scale);
    mirrorLowerTriangle(a);
    Dense v = identity(n);
    boolean rotated = true;
    for (int sweep = 0; sweep < MAX_SWEEPS && rotated; sweep++) {
      rotated = false;
      for (int p = 0; p < n; p++) {
        for (int q = p + 1; q < n; q++) {
          if (Math.abs(a.at(p, q)) > EPSILON) {
            rotated = true;
            Rotation rotation = Rotation.of(a.at(p, p), a.at(q, q), a.at(p, q));
            rotation.applyToColumns(a, p, q);
            rotation.applyToRows(a, p, q);
            rotation.applyToColumns(v, p, q);
          }
        }
      }
    }
    requireConverged(rotated);
    double[] values = IntStream.range(0, n).mapToDouble(i -> a.at(i, i) * scale).toArray();
    int[] order = fallingOrder(values);
    return new Eigen(picked(values, order), columns(v, order));
  }

  /** A = U S Vᵀ by one-sided rotations of the columns of A, or of Aᵀ when A is wide. */
  static Svd svd(Dense a) {
    if (a.rows() < a.cols()) {
      Svd transposed = svd(a.transposed());
      return new Svd(
          ((Dense) transposed.vt()).transposed(),
          transposed.s(),
          ((Dense) transposed.u()).transposed());
    }
    int n = a.cols();
    double scale = largest(a);
    Dense u = scaled(a, 1 / scale);
    Dense v = identity(n);
    boolean rotated = true;
    for (int sweep = 0; sweep < MAX_SWEEPS && rotated; sweep++) {
      rotated = false;
      for (int p = 0; p < n; p++) {
        for (int q = p + 1; q < n; q++) {
          double pp = dot(u, p, p);
          double qq = dot(u, q, q);
          double pq = dot(u, p, q);
          if (Math.abs(pq) > 4 * EPSILON * Math.sqrt(pp) * Math.sqrt(qq)
              && Math.min(pp, qq) > EPSILON * EPSILON * EPSILON) {
            rotated = true;
            Rotation rotation = Rotation.of(pp, qq, pq);
            rotation.applyToColumns(u, p, q);
            rotation.applyToColumns(v, p, q);
          }
        }
      }
    }
    requireConverged(rotated);
    double[] norms = IntStream.range(0, n).mapToDouble(j -> Math.sqrt(dot(u, j, j))).toArray();
    int[] order = fallingOrder(norms);
    double[] s = picked(norms, order);
    Dense basis = orthonormal(columns(u, order), s);
    for (int j = 0; j < n; j++) {
      s[j] *= scale;
    }
    return new Svd(basis, s, columns(v, order).transposed());
  }

  /**
   * Divides column j by s[j]. Columns that belong to no direction of their own (s is rounding
   * error) are replaced by unit vectors orthogonal to all before them.
   */
  private static Dense orthonormal(Dense u, double[] s) {
    for (int j = 0; j < u.cols(); j++) {
      if (s[j] > u.rows() * EPSILON * s[0]) {
        scaleColumn(u, j, 1 / s[j]);
      } else {
        completeColumn(u, j);
      }
    }
    return u;
  }

  /** Some unit vector eᵢ keeps at least 1/√m of its length outside the span of j < m columns. */
  private static void completeColumn(Dense u, int j) {
    for (int i = 0; i < u.rows(); i++) {
      for (int row = 0; row < u.rows(); row++) {
        u.set(row, j, row == i ? 1 : 0);
      }
      for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < j; k++) {
          double projection = dot(u, k, j);
          for (int row = 0; row < u.rows(); row++) {
            u.set(row, j, u.at(row, j) - projection * u.at(row, k));
          }
        }
      }
      double norm = Math.sqrt(dot(u, j, j));
      if (norm * norm * u.rows() >= 0.5) {
        scaleColumn(u, j, 1 / norm);
        return;
      }
    }
    throw new ArithmeticException("column " + j + " has no orthogonal direction left");
  }

  private static void scaleColumn(Dense u, int j, double factor) {
    for (int i = 0; i < u.rows(); i++) {
      u.set(i, j, u.at(i, j) * factor);
    }
  }

  private static double dot(Dense a, int p, int q) {
    double sum = 0;
    for (int i = 0; i < a.rows(); i++) {
      sum += a.at(i, p) * a.at(i, q);
    }
    return sum;
  }

  private static Dense identity(int n) {
    Dense identity = Dense.zeros(n, n);
    for (int i = 0; i < n; i++) {
      identity.set(i, i, 1);
    }
    return identity;
  }

  /** The largest magnitude, or 1 for the zero matrix: what to divide by to stay in range. */
  private static double largest(Dense a) {
    double largest = 0;
    for (double value : a.values()) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest == 0 ? 1 : largest;
  }

  private static Dense scaled(Dense a, double factor) {
    Dense scaled = a.copy();
    for (int i = 0; i < scaled.values().length; i++) {
      scaled.values()[i] *= factor;
    }
    return scaled;
  }

  private static void mirrorLowerTriangle(Dense a) {
    for (int i = 0; i < a.rows(); i++) {
      for (int j = 0; j < i; j++) {
        a.set(j, i, a.at(i, j));
      }
    }
  }

  private static int[] fallingOrder(double[] values) {
    List<Integer> order =
        IntStream.range(0, values.length)
            .boxed()
            .sorted(Comparator.comparingDouble((Integer i) -> -values[i]))
            .toList();
    return order.stream().mapToInt(Integer::intValue).toArray();
  }

  private static double[] picked(double[] values, int[] order) {
    return IntStream.of(order).mapToDouble(i -> values[i]).toArray();
  }

  private static Dense columns(Dense a, int[] order) {
    Dense picked = Dense.zeros(a.rows(), order.length);
    for (int i = 0; i < a.rows(); i++) {
      for (int j = 0; j < order.length; j++) {
        picked.set(i, j, a.at(i, order[j]));
      }
    }
    return picked;
  }

  private static void requireConverged(boolean rotated) {
    if (rotated) {
      throw new ArithmeticException("rotations did not converge in " + MAX_SWEEPS + " sweeps");
    }
  }
}
