package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.torch.ScriptFunctions;

/** Products of the inputs of layers, summed over all positions of a batch but padding. */
public record InputProducts(Batch batch, ScriptFunctions functions) {

  /**
   * Adds Σ l rᵀ.
   *
   * @param temporary owns what is made on the way
   * @param left [B, T, m]
   * @param right [B, T, n]
   * @param total [m, n]
   */
  public void add(NDManager temporary, NDArray left, NDArray right, Total total) {
    NDArray counting = new Positions(batch).withoutPadding(temporary, left);
    NDArray products = functions.call(temporary, "product_over_positions", counting, right);
    total.add(temporary, functions, products);
  }
}
