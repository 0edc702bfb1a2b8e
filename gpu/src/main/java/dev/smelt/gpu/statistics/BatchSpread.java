package dev.smelt.gpu.statistics;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SequencedMap;

/**
 * How sums of squared gradients differ from batch to batch. With s_k the sum over the n_k examples
 * of batch k, K batches and m = Σ s_k / N, the variance of m is estimated by
 *
 * <pre>K/(K−1) · Σ (s_k − n_k m)² / N²</pre>
 *
 * which for batches of one size is the usual standard error of a mean of K values.
 */
final class BatchSpread {

  /** Per parameter: Σ s_k, Σ s_k², Σ n_k s_k. Then Σ n_k, Σ n_k², K. */
  private static final int PER_PARAMETER = 3;

  private final List<String> parameters;
  private final double[] sums;
  private double examples;
  private double squaredSizes;
  private double batches;

  BatchSpread(List<String> parameters) {
    this.parameters = List.copyOf(parameters);
    this.sums = new double[PER_PARAMETER * parameters.size()];
  }

  List<String> parameters() {
    return parameters;
  }

  /**
   * @param size n_k
   * @param found s_k of every parameter
   */
  void add(int size, double[] found) {
    for (int i = 0; i < found.length; i++) {
      sums[PER_PARAMETER * i] += found[i];
      sums[PER_PARAMETER * i + 1] += found[i] * found[i];
      sums[PER_PARAMETER * i + 2] += size * found[i];
    }
    examples += size;
    squaredSizes += (double) size * size;
    batches++;
  }

  double batches() {
    return batches;
  }

  /** All that {@link #restore} needs. */
  double[] state() {
    double[] state = new double[sums.length + 3];
    System.arraycopy(sums, 0, state, 0, sums.length);
    state[sums.length] = examples;
    state[sums.length + 1] = squaredSizes;
    state[sums.length + 2] = batches;
    return state;
  }

  void restore(double[] state) {
    System.arraycopy(state, 0, sums, 0, sums.length);
    examples = state[sums.length];
    squaredSizes = state[sums.length + 1];
    batches = state[sums.length + 2];
  }

  Precision precision() {
    if (batches < 2) {
      return new Precision(new LinkedHashMap<>(), OptionalDouble.empty());
    }
    SequencedMap<String, Double> relative = new LinkedHashMap<>();
    double errors = 0;
    double means = 0;
    for (int i = 0; i < parameters.size(); i++) {
      double mean = sums[PER_PARAMETER * i] / examples;
      double error = standardError(i, mean);
      relative.put(parameters.get(i), mean > 0 ? error / mean : 0);
      errors += error;
      means += mean;
    }
    return new Precision(
        relative, means > 0 ? OptionalDouble.of(errors / means) : OptionalDouble.empty());
  }

  private double standardError(int i, double mean) {
    double squares = sums[PER_PARAMETER * i + 1];
    double weighted = sums[PER_PARAMETER * i + 2];
    double spread = squares - 2 * mean * weighted + mean * mean * squaredSizes;
    return Math.sqrt(Math.max(0, spread) * batches / (batches - 1)) / examples;
  }
}
