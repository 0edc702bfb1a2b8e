package dev.smelt.merge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Sparse merges done plainly: whole arrays, sorted, one element after the other. */
final class Thinned {

  private Thinned() {}

  /** As close as this share of the largest number. */
  static void assertClose(double[] found, double[] expected, double share) {
    double largest = Arrays.stream(expected).map(Math::abs).max().orElse(0);
    assertThat(found).hasSameSizeAs(expected);
    for (int k = 0; k < found.length; k++) {
      if (!(Math.abs(found[k] - expected[k]) <= share * largest)) {
        fail("element " + k + ": expected " + expected[k] + ", found " + found[k]);
      }
    }
  }

  static double[] change(double[] base, double[] model) {
    double[] change = new double[base.length];
    Arrays.setAll(change, k -> model[k] - base[k]);
    return change;
  }

  /** Elements by size, the largest first, of equal ones the first first. */
  static int[] order(double[] keys) {
    return IntStream.range(0, keys.length)
        .boxed()
        .sorted(
            Comparator.comparingDouble((Integer k) -> -Math.abs(keys[k])).thenComparingInt(k -> k))
        .mapToInt(k -> k)
        .toArray();
  }

  /** Without all but the elements at these places of {@link #order}. */
  static double[] keep(double[] change, int from, int to) {
    int[] order = order(change);
    double[] kept = new double[change.length];
    for (int place = from; place < to; place++) {
      kept[order[place]] = change[order[place]];
    }
    return kept;
  }

  static double l1(double[] values) {
    return Arrays.stream(values).map(Math::abs).sum();
  }

  static double[] times(double factor, double[] values) {
    return Arrays.stream(values).map(value -> factor * value).toArray();
  }

  /** θ₀ + λ Σ wᵢδᵢ, over Σ wᵢ if normalised. */
  static double[] sum(
      double[] base, double[][] changes, double[] weights, double lambda, boolean normalize) {
    double[] merged = base.clone();
    double divisor = normalize ? Arrays.stream(weights).sum() : 1;
    for (int k = 0; k < base.length; k++) {
      for (int i = 0; i < changes.length; i++) {
        merged[k] += lambda * weights[i] * changes[i][k] / divisor;
      }
    }
    return merged;
  }

  /** As above, of those changes only whose wᵢδᵢ has the sign of their sum. */
  static double[] elected(
      double[] base, double[][] changes, double[] weights, double lambda, boolean normalize) {
    return elected(base, changes, weights, weights, lambda, normalize);
  }

  /**
   * @param votes by which changes are multiplied to find their sign
   */
  static double[] elected(
      double[] base,
      double[][] changes,
      double[] votes,
      double[] weights,
      double lambda,
      boolean normalize) {
    double[] merged = base.clone();
    for (int k = 0; k < base.length; k++) {
      double all = 0;
      for (int i = 0; i < changes.length; i++) {
        all += votes[i] * changes[i][k];
      }
      double sign = all >= 0 ? 1 : -1;
      double sum = 0;
      double divisor = 0;
      for (int i = 0; i < changes.length; i++) {
        if (Math.signum(votes[i] * changes[i][k]) == sign) {
          sum += weights[i] * changes[i][k];
          divisor += weights[i];
        }
      }
      merged[k] += lambda * sum / (normalize && divisor != 0 ? divisor : 1);
    }
    return merged;
  }
}
