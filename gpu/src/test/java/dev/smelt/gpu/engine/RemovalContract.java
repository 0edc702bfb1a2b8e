package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is left when weights are taken from a layer, against inverses of parts of H. */
abstract class RemovalContract extends KernelContract {

  @Test
  void reversesRowsAndColumns() {
    Matrix a = algebra.matrix(2, 3, new double[] {1, 2, 3, 4, 5, 6});
    assertThat(algebra.reverse(a).toDoubles()).containsExactly(6, 5, 4, 3, 2, 1);
  }

  @ParameterizedTest
  @CsvSource({"1,1", "3,8", "7,5", "20,33"})
  void refittedWeightsCannotBeImproved(int out, int in) {
    double[] w = random(out, in, 3);
    double[] h = spd(in, 4);
    double[] kept = mask(out, in, 5);
    double[] x =
        algebra
            .refit(
                algebra.matrix(out, in, w),
                algebra.matrix(in, in, h),
                algebra.matrix(out, in, kept),
                500,
                1e-14)
            .toDoubles();
    double[] slope = product(difference(x, w), h, out, in, in);
    for (int i = 0; i < x.length; i++) {
      if (kept[i] == 0) {
        assertThat(x[i]).isZero();
        slope[i] = 0;
      }
    }
    assertThat(norm(slope)).isLessThan(1e-10 * norm(w) * norm(h));
  }

  @Test
  void inputsWithoutCorrelationMakeUpForNothing() {
    double[] w = random(4, 6, 1);
    double[] kept = mask(4, 6, 2);
    double[] expected = new double[w.length];
    for (int i = 0; i < w.length; i++) {
      expected[i] = w[i] * kept[i];
    }
    Matrix found =
        algebra.refit(
            algebra.matrix(4, 6, w),
            algebra.identity(6, Precision.F64),
            algebra.matrix(4, 6, kept),
            100,
            1e-15);
    assertThat(found.toDoubles()).containsExactly(expected, within(1e-15));
  }

  @ParameterizedTest
  @CsvSource({"1,1,1,1", "9,4,2,1", "9,4,9,3", "16,5,4,4", "21,3,8,1", "77,3,70,70", "100,2,80,33"})
  void takesOneInputAfterTheOtherAsObsDoes(int in, int out, int block, int step) {
    double[] w = random(in, out, 7);
    double[] h = spd(in, 8);
    double[] gone = difference(ones(in * out), mask(in, out, 9));
    double[] expected = oneByOne(w, h, gone, in, out);

    Matrix lower = algebra.cholesky(algebra.reverse(algebra.matrix(in, in, h)));
    Matrix inverse = algebra.solveLower(lower, algebra.identity(in, Precision.F64));
    Elimination left = algebra.elimination(algebra.matrix(in, out, w), algebra.reverse(inverse));
    for (int from = 0; from < in; from += block) {
      int to = Math.min(in, from + block);
      for (int i = from; i < to; i += step) {
        int end = Math.min(i + step, to);
        left.remove(i, end, to, Arrays.copyOfRange(gone, i * out, end * out));
      }
      left.carry(from, to);
    }
    assertClose(left.weights().toDoubles(), expected, 1e-11 * norm(w));
    assertThat(left.weights(0, 1)).containsExactly(Arrays.copyOf(left.weights().toDoubles(), out));
  }

  /** Equation 3 of SparseGPT: each time with the inverse of what of H is left. */
  private static double[] oneByOne(double[] weights, double[] h, double[] gone, int in, int out) {
    double[] w = weights.clone();
    for (int i = 0; i < in; i++) {
      int left = in - i;
      double[] column = solve(h, in, i, left);
      for (int j = 0; j < out; j++) {
        if (gone[i * out + j] != 0) {
          double share = w[i * out + j] / column[0];
          for (int k = 0; k < left; k++) {
            w[(i + k) * out + j] -= share * column[k];
          }
          w[i * out + j] = 0;
        }
      }
    }
    return w;
  }

  /** The first column of the inverse of the last rows and columns of H, by elimination. */
  private static double[] solve(double[] h, int n, int from, int size) {
    double[][] a = new double[size][size + 1];
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        a[i][j] = h[(from + i) * n + from + j];
      }
    }
    a[0][size] = 1;
    for (int k = 0; k < size; k++) {
      for (int i = 0; i < size; i++) {
        if (i != k) {
          double factor = a[i][k] / a[k][k];
          for (int j = k; j <= size; j++) {
            a[i][j] -= factor * a[k][j];
          }
        }
      }
    }
    double[] x = new double[size];
    for (int i = 0; i < size; i++) {
      x[i] = a[i][size] / a[i][i];
    }
    return x;
  }

  private static double[] spd(int n, long seed) {
    double[] x = random(n, 2 * n, seed);
    double[] h = product(x, transposed(x, n, 2 * n), n, 2 * n, n);
    for (int i = 0; i < n; i++) {
      h[i * n + i] += 0.1;
    }
    return h;
  }

  private static double[] mask(int m, int n, long seed) {
    double[] mask = random(m, n, seed);
    for (int i = 0; i < mask.length; i++) {
      mask[i] = mask[i] < 0 ? 0 : 1;
    }
    return mask;
  }

  private static double[] ones(int count) {
    double[] ones = new double[count];
    Arrays.fill(ones, 1);
    return ones;
  }

  private static double[] difference(double[] a, double[] b) {
    double[] difference = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      difference[i] = a[i] - b[i];
    }
    return difference;
  }
}
