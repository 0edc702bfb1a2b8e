package dev.smelt.merge;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.work.Workers;
import dev.smelt.merge.method.Operand;
import java.util.List;

/** ‖F‖₂ over all parameters that are merged by Fisher information. */
final class FisherNorm {

  private static final int CHUNK = 1 << 14;

  private FisherNorm() {}

  /**
   * @param fisher of one model, at least one
   * @throws NonFiniteException when the statistics hold a NaN, an infinity or a negative number
   * @throws LimitException when their squares are beyond f64
   */
  static double of(List<Operand> fisher, int threads) {
    List<Double> ofTensors = Workers.map(threads, fisher, FisherNorm::sumOfSquares);
    // In a fixed order, so that the sum does not depend on the number of threads.
    double squares = 0;
    for (double ofTensor : ofTensors) {
      squares += ofTensor;
    }
    if (Double.isInfinite(squares)) {
      throw new LimitException(
          "Fisher information too large to be normalised",
          fisher.getFirst().origin().toString(),
          "expected a norm below 1e154",
          "do not normalize it, or compute the statistics again");
    }
    return Math.sqrt(squares);
  }

  private static double sumOfSquares(Operand operand) {
    TensorView fisher = operand.view();
    double[] chunk = new double[(int) Math.min(CHUNK, fisher.elements())];
    double sum = 0;
    for (long at = 0; at < fisher.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, fisher.elements() - at);
      fisher.read(at, count, chunk);
      requireValid(operand, chunk, at, count);
      for (int k = 0; k < count; k++) {
        sum += chunk[k] * chunk[k];
      }
    }
    return sum;
  }

  /** No option lets a mean of squares be negative or not finite. */
  static void requireValid(Operand fisher, double[] values, long at, int count) {
    for (int k = 0; k < count; k++) {
      if (!(values[k] >= 0) || Double.isInfinite(values[k])) {
        throw new NonFiniteException(
            "invalid Fisher information",
            fisher.where(),
            "expected a finite number >= 0 at index " + (at + k) + ", found " + values[k],
            "compute the statistics again");
      }
    }
  }
}
