package dev.smelt.merge.mean;

import java.util.Arrays;

/**
 * Weighted means over models, element by element: Σ wᵢθᵢ / Σ wᵢ over the models with wᵢ ≠ 0.
 *
 * <p>Where those models agree, or there is one only, the result is their value bit for bit,
 * whatever the weights: rounding never moves a model merged with itself. The sum is not formed from
 * differences to one model, which would cost small values next to large ones all their digits.
 */
final class Mean {

  /** Elements at a time: what one call needs beside the tensors stays in the L1 cache. */
  static final int BLOCK = 512;

  private final double[] otherwise;
  private final double[][] weights;
  private final double[] sum = new double[BLOCK];
  private final double[] total = new double[BLOCK];
  private final double[] spread = new double[BLOCK];
  private final double[] least = new double[BLOCK];

  /**
   * For one thread.
   *
   * @param otherwise weights of the models where those of an element sum to zero; their own sum is
   *     positive
   */
  Mean(double[] otherwise) {
    this.otherwise = otherwise;
    this.weights = new double[otherwise.length][BLOCK];
  }

  /** The weights of model i for the elements of the next block, to be filled in. */
  double[] weights(int i) {
    return weights[i];
  }

  /**
   * The means of elements {@code at … at+count-1}.
   *
   * @param theta {@code theta[i][at + k]} has the weight {@code weights(i)[k]}
   * @param count at most {@link #BLOCK}
   */
  void of(double[][] theta, int at, int count, double[] merged) {
    Arrays.fill(sum, 0);
    Arrays.fill(total, 0);
    Arrays.fill(spread, 0);
    Arrays.fill(least, Double.POSITIVE_INFINITY);
    for (int i = 0; i < weights.length; i++) {
      accumulate(weights[i], theta[i], at, count);
    }
    for (int i = 1; i < weights.length; i++) {
      widen(theta[0], theta[i], at, count);
    }
    double[] first = theta[0];
    for (int k = 0; k < count; k++) {
      double mean = sum[k] / total[k];
      // False of NaN too.
      boolean regular = least[k] > 0 && Math.abs(mean) <= Double.MAX_VALUE;
      if (regular) {
        merged[at + k] = spread[k] == 0 ? first[at + k] : mean;
      } else {
        merged[at + k] = of(column(k), theta, at + k);
      }
    }
  }

  // Loops of their own, so that the compiler turns them into vector instructions.

  private void accumulate(double[] weight, double[] theta, int at, int count) {
    for (int k = 0; k < count; k++) {
      sum[k] += weight[k] * theta[at + k];
      total[k] += weight[k];
    }
    for (int k = 0; k < count; k++) {
      least[k] = Math.min(least[k], Math.abs(weight[k]));
    }
  }

  /** A difference of doubles is zero only where they are equal. */
  private void widen(double[] a, double[] b, int at, int count) {
    for (int k = 0; k < count; k++) {
      spread[k] += Math.abs(a[at + k] - b[at + k]);
    }
  }

  private double[] column(int k) {
    double[] column = new double[weights.length];
    for (int i = 0; i < column.length; i++) {
      column[i] = weights[i][k];
    }
    return total[k] == 0 ? otherwise : column;
  }

  /** One element, with all the cases: weights of zero, infinities, sums beyond f64. */
  static double of(double[] weights, double[][] theta, int k) {
    double sum = 0;
    double total = 0;
    int first = -1;
    boolean agreed = true;
    for (int i = 0; i < weights.length; i++) {
      if (weights[i] != 0) {
        double value = theta[i][k];
        first = first < 0 ? i : first;
        agreed &= value == theta[first][k];
        sum += weights[i] * value;
        total += weights[i];
      }
    }
    if (agreed) {
      return theta[first][k];
    }
    double mean = sum / total;
    return Double.isFinite(mean) ? mean : scaled(weights, total, theta, k);
  }

  /** As above for values whose weighted sum is beyond f64, though their mean need not be. */
  private static double scaled(double[] weights, double total, double[][] theta, int k) {
    double mean = 0;
    for (int i = 0; i < weights.length; i++) {
      if (weights[i] != 0) {
        mean += weights[i] / total * theta[i][k];
      }
    }
    return mean;
  }
}
