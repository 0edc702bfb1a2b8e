package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Use;
import java.util.function.BiConsumer;

/**
 * Sums of what a linear map reads, over all examples and positions of a batch but padding. They
 * need no backward pass.
 *
 * @param temporary owns what is made on the way
 */
record InputSums(ParameterGradients gradients, NDManager temporary) {

  /** Σ x xᵀ, [in, in]. */
  void addGram(Total total) {
    forEachUse((x, parameter) -> add(total, call("product_over_positions", x, x)));
  }

  /** Σ x ⊙ x, [in]. */
  void addNorms(Total total) {
    forEachUse((x, parameter) -> add(total, call("squares_over_positions", x)));
  }

  /**
   * Σ_t |w_jk x_tk| / s_tj with s_tj = Σ_l |w_jl x_tl|, as |W| ⊙ (S′ᵀ |X|), S′ = 1/s: products of
   * matrices, and no array [T, out, in].
   */
  void addContributions(Total total) {
    boolean stored = gradients.layout() == Layout.OUT_IN;
    forEachUse(
        (x, parameter) -> {
          NDArray matrix = parameter.value().reshape(gradients.storedMatrix());
          matrix.attach(temporary);
          NDArray found = call("contributions", x, stored ? matrix : transposed(matrix));
          add(total, stored ? found : transposed(found));
        });
  }

  private NDArray transposed(NDArray matrix) {
    NDArray transposed = matrix.transpose();
    transposed.attach(temporary);
    return transposed;
  }

  /** Uses in the one way that the parameter is a matrix. Padding has inputs, so it is taken out. */
  private void forEachUse(BiConsumer<NDArray, Parameter> action) {
    for (UsedWith used : gradients.uses()) {
      if (used.use() instanceof Use.Product product && product.layout() == gradients.layout()) {
        NDArray x = gradients.positions().withoutPadding(temporary, product.x());
        action.accept(x, product.parameter());
      }
    }
  }

  private NDArray call(String method, NDArray... arguments) {
    return gradients.functions().call(temporary, method, arguments);
  }

  private void add(Total total, NDArray sums) {
    total.add(temporary, gradients.functions(), sums);
  }
}
