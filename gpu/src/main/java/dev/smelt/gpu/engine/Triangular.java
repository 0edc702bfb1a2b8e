package dev.smelt.gpu.engine;

import dev.smelt.gpu.engine.ReferenceKernels.Dense;

/** Factorisations with a triangular factor, in plain Java (Golub and Van Loan, §4.2, 3.4, 5.2). */
final class Triangular {

  private Triangular() {}

  /** L with L Lᵀ = A, row by row. */
  static Dense cholesky(Dense a) {
    int n = a.rows();
    Dense l = Dense.zeros(n, n);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = a.at(i, j);
        for (int k = 0; k < j; k++) {
          sum -= l.at(i, k) * l.at(j, k);
        }
        if (i > j) {
          l.set(i, j, sum / l.at(j, j));
        } else if (sum > 0) {
          l.set(i, i, Math.sqrt(sum));
        } else {
          throw new NotPositiveDefiniteException(i + 1, n);
        }
      }
    }
    return l;
  }

  /** X with L X = B, from the first row down. */
  static Dense solveLower(Dense lower, Dense right) {
    Dense x = right.copy();
    for (int k = 0; k < lower.rows(); k++) {
      for (int j = 0; j < x.cols(); j++) {
        x.set(k, j, x.at(k, j) / lower.at(k, k));
      }
      for (int i = k + 1; i < lower.rows(); i++) {
        subtractRow(x, i, k, lower.at(i, k));
      }
    }
    return x;
  }

  /** X with Lᵀ X = B, from the last row up. */
  static Dense solveLowerTransposed(Dense lower, Dense right) {
    Dense x = right.copy();
    for (int k = lower.rows() - 1; k >= 0; k--) {
      for (int j = 0; j < x.cols(); j++) {
        x.set(k, j, x.at(k, j) / lower.at(k, k));
      }
      for (int i = 0; i < k; i++) {
        subtractRow(x, i, k, lower.at(k, i));
      }
    }
    return x;
  }

  /** X with A X = B, by elimination with partial pivoting. */
  static Dense solve(Dense matrix, Dense right) {
    Dense a = matrix.copy();
    Dense x = right.copy();
    int n = a.rows();
    for (int k = 0; k < n; k++) {
      int pivot = k;
      for (int i = k + 1; i < n; i++) {
        if (Math.abs(a.at(i, k)) > Math.abs(a.at(pivot, k))) {
          pivot = i;
        }
      }
      if (a.at(pivot, k) == 0) {
        throw new SingularMatrixException(k + 1, n);
      }
      swapRows(a, k, pivot);
      swapRows(x, k, pivot);
      for (int i = k + 1; i < n; i++) {
        double factor = a.at(i, k) / a.at(k, k);
        subtractRow(a, i, k, factor);
        subtractRow(x, i, k, factor);
      }
    }
    for (int k = n - 1; k >= 0; k--) {
      for (int j = 0; j < x.cols(); j++) {
        x.set(k, j, x.at(k, j) / a.at(k, k));
      }
      for (int i = 0; i < k; i++) {
        subtractRow(x, i, k, a.at(i, k));
      }
    }
    return x;
  }

  private static void swapRows(Dense a, int i, int k) {
    for (int j = 0; j < a.cols(); j++) {
      double kept = a.at(i, j);
      a.set(i, j, a.at(k, j));
      a.set(k, j, kept);
    }
  }

  /** aᵢ ← aᵢ − factor · aₖ. */
  private static void subtractRow(Dense a, int i, int k, double factor) {
    for (int j = 0; j < a.cols(); j++) {
      a.set(i, j, a.at(i, j) - factor * a.at(k, j));
    }
  }

  /** A = Q R: reflections H = I − 2 v vᵀ turn A into R, and the same ones turn I into Qᵀ. */
  static Qr qr(Dense matrix) {
    int m = matrix.rows();
    int k = Math.min(m, matrix.cols());
    Dense r = matrix.copy();
    Dense qt = Dense.zeros(m, m);
    for (int i = 0; i < m; i++) {
      qt.set(i, i, 1);
    }
    for (int j = 0; j < k; j++) {
      double[] v = reflector(r, j);
      reflect(r, v);
      reflect(qt, v);
    }
    Dense q = Dense.zeros(m, k);
    Dense upper = Dense.zeros(k, matrix.cols());
    for (int i = 0; i < k; i++) {
      for (int j = 0; j < m; j++) {
        q.set(j, i, qt.at(i, j));
      }
      for (int j = i; j < matrix.cols(); j++) {
        upper.set(i, j, r.at(i, j));
      }
    }
    return new Qr(q, upper);
  }

  /** The unit vector v whose reflection clears column j below the diagonal; 0 for a zero column. */
  private static double[] reflector(Dense r, int j) {
    double[] v = new double[r.rows()];
    double norm = 0;
    for (int i = j; i < r.rows(); i++) {
      v[i] = r.at(i, j);
      norm = Math.hypot(norm, v[i]);
    }
    v[j] += Math.copySign(norm, v[j]);
    double length = 0;
    for (double value : v) {
      length = Math.hypot(length, value);
    }
    for (int i = 0; i < v.length && length > 0; i++) {
      v[i] /= length;
    }
    return v;
  }

  private static void reflect(Dense a, double[] v) {
    for (int j = 0; j < a.cols(); j++) {
      double dot = 0;
      for (int i = 0; i < v.length; i++) {
        dot += v[i] * a.at(i, j);
      }
      for (int i = 0; i < v.length; i++) {
        a.set(i, j, a.at(i, j) - 2 * dot * v[i]);
      }
    }
  }
}
