package dev.smelt.compress.prune;

import dev.smelt.formats.UsageException;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Sparsity that is reached in steps: s·(1 − (1 − k/K)³) after step k of K, so that less goes the
 * more is gone. Zhu and Gupta, "To prune, or not to prune", arXiv 1710.01878.
 *
 * @param steps K
 */
public record Schedule(int steps) {

  private static final int MAX_STEPS = 1000;

  /**
   * @throws UsageException when there is nothing between the first and the last step
   */
  public Schedule {
    if (steps < 2 || steps > MAX_STEPS) {
      throw new UsageException("--steps " + steps + " is out of range", "use 2 to " + MAX_STEPS);
    }
  }

  /** After each step; the last is {@code sparsity} itself. */
  public List<Double> shares(double sparsity) {
    return IntStream.rangeClosed(1, steps)
        .mapToObj(k -> k == steps ? sparsity : sparsity * (1 - Math.pow(1 - (double) k / steps, 3)))
        .toList();
  }
}
