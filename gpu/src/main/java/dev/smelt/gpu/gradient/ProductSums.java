package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Use;
import java.util.stream.IntStream;

/**
 * Sums over all examples and positions of a batch at once: Gram matrices of outputs, gradients.
 *
 * @param temporary owns what is made on the way
 */
record ProductSums(ParameterGradients gradients, NDManager temporary) {

  /** At padding δ is 0. */
  void addOutputGram(Total total) {
    for (UsedWith used : gradients.uses()) {
      if (used.use() instanceof Use.Product product && product.layout() == gradients.layout()) {
        addProduct(total, used.delta(), used.delta());
      }
    }
  }

  void addGradient(Total total) {
    for (UsedWith used : gradients.uses()) {
      NDArray delta = used.delta();
      switch (used.use()) {
        case Use.Product product when product.layout() == Layout.OUT_IN ->
            addProduct(total, delta, product.x());
        case Use.Product product -> addProduct(total, product.x(), delta);
        case Use.Shift _ -> add(total, delta.sum(new int[] {0, 1}));
        case Use.Scale scale -> {
          NDArray products = delta.mul(scale.x());
          products.attach(temporary);
          add(total, products.sum(new int[] {0, 1}));
        }
        case Use.Whole _ -> add(total, delta);
        case Use.Lookup lookup -> {
          long[] rows = IntStream.of(lookup.rows()).asLongStream().toArray();
          NDArray flat = delta.reshape(rows.length, delta.getShape().get(2));
          total.addRows(temporary, gradients.functions(), temporary.create(rows), flat);
        }
      }
    }
  }

  /** Σ l rᵀ over the positions of left [B, T, m] and right [B, T, n]. */
  private void addProduct(Total total, NDArray left, NDArray right) {
    add(total, gradients.functions().call(temporary, "product_over_positions", left, right));
  }

  private void add(Total total, NDArray sums) {
    total.add(temporary, gradients.functions(), sums);
  }
}
