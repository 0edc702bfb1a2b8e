package dev.smelt.compress.structure;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Least squares by Gaussian elimination. */
final class PlainLeastSquares {

  private PlainLeastSquares() {}

  /** tr(XAXᵀ). */
  static double energy(double[][] x, double[][] a) {
    double sum = 0;
    for (double[] row : x) {
      for (int i = 0; i < a.length; i++) {
        for (int k = 0; k < a.length; k++) {
          sum += row[i] * a[i][k] * row[k];
        }
      }
    }
    return sum;
  }

  /** The least tr((W − Ŵ)H(W − Ŵ)ᵀ) of all Ŵ without these inputs. */
  static double cost(double[][] w, double[][] h, List<Integer> gone) {
    List<Integer> kept =
        IntStream.range(0, h.length).boxed().filter(k -> !gone.contains(k)).toList();
    double[][] fitted = fitted(w, h, kept);
    double[][] difference = new double[w.length][h.length];
    for (int i = 0; i < w.length; i++) {
      for (int k = 0; k < h.length; k++) {
        difference[i][k] = w[i][k] - fitted[i][k];
      }
    }
    return energy(difference, h);
  }

  /** Row by row the solution of H_RR ŵ_R = H_R: w. */
  static double[][] fitted(double[][] w, double[][] h, List<Integer> kept) {
    double[][] fitted = new double[w.length][h.length];
    for (int i = 0; i < w.length; i++) {
      double[][] left = new double[kept.size()][kept.size()];
      double[] right = new double[kept.size()];
      for (int r = 0; r < kept.size(); r++) {
        for (int c = 0; c < kept.size(); c++) {
          left[r][c] = h[kept.get(r)][kept.get(c)];
        }
        for (int k = 0; k < h.length; k++) {
          right[r] += h[kept.get(r)][k] * w[i][k];
        }
      }
      double[] x = solve(left, right);
      for (int r = 0; r < kept.size(); r++) {
        fitted[i][kept.get(r)] = x[r];
      }
    }
    return fitted;
  }

  /** Gaussian elimination with pivots. */
  static double[] solve(double[][] matrix, double[] right) {
    int n = right.length;
    double[][] a = new double[n][];
    for (int i = 0; i < n; i++) {
      a[i] = Arrays.copyOf(matrix[i], n + 1);
      a[i][n] = right[i];
    }
    for (int p = 0; p < n; p++) {
      int best = p;
      for (int i = p + 1; i < n; i++) {
        best = Math.abs(a[i][p]) > Math.abs(a[best][p]) ? i : best;
      }
      double[] swap = a[p];
      a[p] = a[best];
      a[best] = swap;
      for (int i = p + 1; i < n; i++) {
        double factor = a[i][p] / a[p][p];
        for (int k = p; k <= n; k++) {
          a[i][k] -= factor * a[p][k];
        }
      }
    }
    double[] x = new double[n];
    for (int i = n - 1; i >= 0; i--) {
      x[i] = a[i][n];
      for (int k = i + 1; k < n; k++) {
        x[i] -= a[i][k] * x[k];
      }
      x[i] /= a[i][i];
    }
    return x;
  }
}
