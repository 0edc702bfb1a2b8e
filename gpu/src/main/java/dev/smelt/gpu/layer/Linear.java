package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
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
}
