package dev.smelt.merge;

/** The weighted mean of one parameter over models. */
final class Mean {

  private Mean() {}

  /**
   * Σ wᵢθᵢ / Σ wᵢ over the models with wᵢ ≠ 0, for weights that have a positive sum. Where those
   * models agree, or there is one only, the result is their value bit for bit, whatever the
   * weights: rounding never moves a model merged with itself. The sum is not formed from
   * differences to one model, which would cost small values next to large ones all their digits.
   */
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
