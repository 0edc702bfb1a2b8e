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
   * One of several maps whose outputs add up.
   *
   * @param map without a bias
   * @param inputs those of the whole that it looks at
   */
  record Panel(Linear map, Inputs inputs) {}

  /** Some of the inputs of a map. */
  sealed interface Inputs {

    /** Those from {@code first} to before {@code end}, which need no copy. */
    record Range(long first, long end) implements Inputs {}

    /**
     * @param indices as the engine has them
     */
    record Listed(NDArray indices) implements Inputs {}

    /**
     * @param x [B, T, in]
     */
    default NDArray of(NDArray x) {
      return switch (this) {
        case Range(long first, long end) -> x.get(new NDIndex("..., {}:{}", first, end));
        case Listed(NDArray indices) -> x.get(new NDIndex("..., {}", indices));
      };
    }
  }

  /**
   * y = Σ W_p x_p + b: each panel W_p has some of the columns of W, and x_p is what x has there.
   *
   * @param panels at least one
   */
  record Panels(List<Panel> panels, Optional<Parameter> bias) implements Linear {

    public Panels {
      panels = List.copyOf(panels);
    }

    @Override
    public NDArray forward(NDArray x, Tape tape) {
      NDArray y = forward(panels.getFirst(), x, tape);
      for (Panel panel : panels.subList(1, panels.size())) {
        // In place: the output of a linear map is newly made, and nobody needs it to go backward.
        y = y.addi(forward(panel, x, tape));
      }
      NDArray sum = y;
      return bias.map(b -> tape.recordShifted(sum, b)).orElse(sum);
    }

    private static NDArray forward(Panel panel, NDArray x, Tape tape) {
      return panel.map().forward(panel.inputs().of(x), tape);
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
