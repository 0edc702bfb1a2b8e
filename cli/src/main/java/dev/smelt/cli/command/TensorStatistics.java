package dev.smelt.cli.command;

import dev.smelt.formats.TensorView;

/**
 * What a tensor's values are like. NaN and infinities are counted and otherwise left out.
 *
 * @param deviation standard deviation of the population
 */
record TensorStatistics(
    double min, double max, double mean, double deviation, long zeros, long nonFinite) {

  private static final int CHUNK = 1 << 14;

  static TensorStatistics of(TensorView tensor) {
    double[] chunk = new double[(int) Math.min(CHUNK, tensor.elements())];
    double min = Double.POSITIVE_INFINITY;
    double max = Double.NEGATIVE_INFINITY;
    double mean = 0;
    double squares = 0;
    long finite = 0;
    long zeros = 0;
    for (long at = 0; at < tensor.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, tensor.elements() - at);
      tensor.read(at, count, chunk);
      for (int i = 0; i < count; i++) {
        double value = chunk[i];
        if (!Double.isFinite(value)) {
          continue;
        }
        finite++;
        zeros += value == 0 ? 1 : 0;
        min = Math.min(min, value);
        max = Math.max(max, value);
        // Welford's update: no cancellation where the mean is far from zero.
        double step = value - mean;
        mean += step / finite;
        squares += step * (value - mean);
      }
    }
    long nonFinite = tensor.elements() - finite;
    return finite == 0
        ? new TensorStatistics(0, 0, 0, 0, 0, nonFinite)
        : new TensorStatistics(min, max, mean, Math.sqrt(squares / finite), zeros, nonFinite);
  }
}
