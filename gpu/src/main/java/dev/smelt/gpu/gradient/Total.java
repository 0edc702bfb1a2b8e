package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.torch.ScriptFunctions;

/**
 * A running sum over the data, in f64.
 *
 * @param values the sum
 * @param trace [1], the sum of all that was added, to tell how it spreads over batches
 */
public record Total(NDArray values, NDArray trace) {

  /**
   * @param temporary owns what is made on the way
   * @param sums as many elements as the total, of any shape
   */
  void add(NDManager temporary, ScriptFunctions functions, NDArray sums) {
    functions.call(temporary, "add_to_total", values, trace, sums);
  }

  /**
   * @param rows indices [n] into the first axis of the total; a row may come up several times
   * @param sums [n, …]
   */
  public void addRows(NDManager temporary, ScriptFunctions functions, NDArray rows, NDArray sums) {
    functions.call(temporary, "add_to_rows", values, trace, rows, sums);
  }
}
