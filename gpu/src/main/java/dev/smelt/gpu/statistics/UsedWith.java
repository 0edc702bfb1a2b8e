package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.torch.ScriptFunctions;

/**
 * A use of a parameter, and what the backward pass found there.
 *
 * @param delta Δ = ∂ℓ/∂y [B, T, out]
 */
record UsedWith(Use use, NDArray delta) {

  /**
   * Gradients of single examples, by this use alone.
   *
   * @param temporary owns the result
   * @param first and {@code last} (exclusive) of the batch
   * @return [n, *shape of the parameter]
   */
  NDArray gradients(NDManager temporary, ScriptFunctions functions, long first, long last) {
    NDArray d = slice(temporary, delta, first, last);
    return switch (use) {
      case Use.Product product -> {
        NDArray x = slice(temporary, product.x(), first, last);
        yield product.layout() == Layout.OUT_IN
            ? d.transpose(0, 2, 1).matMul(x)
            : x.transpose(0, 2, 1).matMul(d);
      }
      case Use.Shift shift -> d.sum(new int[] {1});
      case Use.Scale scale -> d.mul(slice(temporary, scale.x(), first, last)).sum(new int[] {1});
      case Use.Whole _ -> delta.expandDims(0);
      case Use.Lookup lookup -> scattered(temporary, functions, lookup, d, first, last);
    };
  }

  /** Δ summed into the rows that each example looked up: [n, rows, width]. */
  private static NDArray scattered(
      NDManager temporary,
      ScriptFunctions functions,
      Use.Lookup lookup,
      NDArray d,
      long first,
      long last) {
    long rows = lookup.parameter().info().shape().size(0);
    long width = lookup.parameter().info().shape().size(1);
    long length = d.getShape().get(1);
    long count = last - first;
    long[] target = new long[Math.toIntExact(count * length)];
    for (int i = 0; i < target.length; i++) {
      target[i] = i / length * rows + lookup.rows()[Math.toIntExact(first * length) + i];
    }
    NDArray gradients = temporary.zeros(new Shape(count * rows, width), DataType.FLOAT32);
    return functions
        .call(
            temporary,
            "index_add_in_place",
            gradients,
            temporary.create(target),
            d.reshape(count * length, width))
        .reshape(count, rows, width);
  }

  /** Whether the gradient of an example is one outer product: a linear layer of one position. */
  boolean isOuterProduct() {
    return use instanceof Use.Product && delta.getShape().get(1) == 1;
  }

  /** Σₙ (δₙ xₙᵀ) ⊙ (δₙ xₙᵀ) = (Δ⊙Δ)ᵀ (X⊙X), in one product and without the gradients. */
  NDArray squaresOfOuterProducts(NDManager temporary, long first, long last) {
    Use.Product product = (Use.Product) use;
    NDArray d = slice(temporary, delta, first, last).squeeze(1).square();
    NDArray x = slice(temporary, product.x(), first, last).squeeze(1).square();
    return product.layout() == Layout.OUT_IN ? d.transpose().matMul(x) : x.transpose().matMul(d);
  }

  private static NDArray slice(NDManager temporary, NDArray array, long first, long last) {
    NDArray part = array.get(new NDIndex().addSliceDim(first, last));
    part.attach(temporary);
    return part;
  }
}
