package dev.smelt.gpu.data;

/**
 * One axis of a bilinear resize: which values are averaged for each result, and how much they
 * count.
 *
 * @param first index of the first value of each result
 * @param weights of the values from there on, 1 in sum
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
record Taps(int[] first, double[][] weights) {

  /**
   * @param length of the axis
   * @param wanted results, from the middle of the axis scaled to round(length · factor)
   */
  static Taps of(int length, int wanted, double factor) {
    int scaled = Math.max(wanted, (int) Math.round(length * factor));
    int cut = (scaled - wanted) / 2;
    double step = (double) length / scaled;
    double reach = Math.max(1, step);
    int[] first = new int[wanted];
    double[][] weights = new double[wanted][];
    for (int i = 0; i < wanted; i++) {
      double centre = (cut + i + 0.5) * step - 0.5;
      first[i] = Math.max(0, (int) Math.ceil(centre - reach));
      int last = Math.min(length - 1, (int) Math.floor(centre + reach));
      weights[i] = new double[last - first[i] + 1];
      double sum = 0;
      for (int j = 0; j < weights[i].length; j++) {
        weights[i][j] = Math.max(0, 1 - Math.abs(first[i] + j - centre) / reach);
        sum += weights[i][j];
      }
      for (int j = 0; j < weights[i].length; j++) {
        weights[i][j] /= sum;
      }
    }
    return new Taps(first, weights);
  }

  /** Result {@code i} along an axis that starts at {@code start} and goes by {@code stride}. */
  float mean(int i, float[] values, int start, int stride) {
    double sum = 0;
    for (int j = 0; j < weights[i].length; j++) {
      sum += weights[i][j] * values[start + (first[i] + j) * stride];
    }
    return (float) sum;
  }
}
