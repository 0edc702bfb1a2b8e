package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.index.NDIndex;
import java.util.List;
import java.util.Optional;

/** A linear map of the last axis, with or without a bias: [B, T, in] → [B, T, out]. */
public sealed interface Linear {

  NDArray forward(NDArray x, Tape tape);

  /** y = x Wᵀ + b from one matrix. */
  record Dense(Parameter weight, Layout layout, Optional<Parameter> bias) implements Linear {

    @Override
    public NDArray forward(NDArray x, Tape tape) {
      NDArray w = weight.value();
      NDArray product =
          switch (layout) {
            case OUT_IN -> ai.djl.nn.core.Linear.linear(x, w).singletonOrThrow();
            case IN_OUT -> x.matMul(w);
          };
      Use.Product used = new Use.Product(weight, layout, x);
      if (bias.isEmpty()) {
        return tape.record(product, used);
      }
      Parameter b = bias.get();
      return tape.recordShifted(product, b, used);
    }
  }

  /** y = (x Bᵀ) Aᵀ + b: a matrix W = A B of rank r that is never formed. */
  record Factored(Dense b, Dense a) implements Linear {

    @Override
    public NDArray forward(NDArray x, Tape tape) {
      return a.forward(b.forward(x, tape), tape);
    }
  }

  /**
   * y = (W₀ xᵀ)ᵀ + b + (x Bᵀ) Aᵀ: a matrix W = W₀ + A B that is never formed.
   *
   * @param base with the bias, where there is one
   * @param change without a bias
   */
  record Changed(Dense base, Factored change) implements Linear {

    @Override
    public NDArray forward(NDArray x, Tape tape) {
      return base.forward(x, tape).addi(change.forward(x, tape));
    }
  }

  /**
   * Several maps of one input whose outputs are those of one: each part has some of the rows of W.
   *
   * @param parts without biases
   * @param order where each output stands when those of the parts follow each other; empty where
   *     they do so already
   */
  record Split(List<Linear> parts, Optional<NDArray> order, Optional<Parameter> bias)
      implements Linear {

    public Split {
      parts = List.copyOf(parts);
    }

    @Override
    public NDArray forward(NDArray x, Tape tape) {
      NDList outputs = new NDList();
      parts.forEach(part -> outputs.add(part.forward(x, tape)));
      NDArray joined = NDArrays.concat(outputs, -1);
      NDArray y = order.map(index -> joined.get(new NDIndex("..., {}", index))).orElse(joined);
      return bias.map(b -> tape.recordShifted(y, b)).orElse(y);
    }
  }
}
