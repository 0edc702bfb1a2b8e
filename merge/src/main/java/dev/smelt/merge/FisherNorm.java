package dev.smelt.merge;

import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;

/** ‖F‖₂ over all parameters that are merged by Fisher information. */
final class FisherNorm {

  private static final int CHUNK = 1 << 14;

  private FisherNorm() {}

  /**
   * @throws NonFiniteException when the statistics hold a NaN, an infinity or a negative number
   */
  static double of(MergePlan plan, int model) {
    return Math.sqrt(
        plan.merged().stream()
            .parallel()
            .mapToDouble(tensor -> sumOfSquares(tensor.fisher().get(model)))
            // In a fixed order, so that the sum does not depend on the number of threads.
            .boxed()
            .toList()
            .stream()
            .mapToDouble(Double::doubleValue)
            .sum());
  }

  private static double sumOfSquares(TensorView fisher) {
    double[] chunk = new double[(int) Math.min(CHUNK, fisher.elements())];
    double sum = 0;
    for (long at = 0; at < fisher.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, fisher.elements() - at);
      fisher.read(at, count, chunk);
      for (int k = 0; k < count; k++) {
        if (!(chunk[k] >= 0) || Double.isInfinite(chunk[k])) {
          throw new NonFiniteException(
              "invalid Fisher information",
              fisher.name(),
              "expected a finite number >= 0 at index " + (at + k) + ", found " + chunk[k],
              "compute the statistics again");
        }
        sum += chunk[k] * chunk[k];
      }
    }
    return sum;
  }
}
