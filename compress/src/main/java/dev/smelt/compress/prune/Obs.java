package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.function.Supplier;

/**
 * w²/[H⁻¹]_qq: what the layer's outputs lose without the weight when all others of its output make
 * up for it. Hassibi and Stork, "Second order derivatives for network pruning: optimal brain
 * surgeon", NIPS 1992.
 */
public record Obs(InputGram gram, Supplier<ComputeDevice> device) implements Criterion {

  @Override
  public String name() {
    return "obs";
  }

  @Override
  public Scores of(Layer layer) {
    TensorView weight = layer.weight();
    double[] inverse = inverseDiagonal(layer);
    return (first, count, target) -> {
      weight.read(first, count, target);
      for (int i = 0; i < count; i++) {
        target[i] *= target[i] / inverse[layer.inputOf(first + i)];
      }
    };
  }

  /** Of H⁻¹ = UᵀU: squares of the norms of U's columns. */
  private double[] inverseDiagonal(Layer layer) {
    try (LinearAlgebra algebra = device.get().linearAlgebra()) {
      Matrix root = gram.root(algebra, gram.load(algebra, layer), layer).inverse(algebra);
      double[] norms = algebra.rowNorms(algebra.transpose(root));
      for (int i = 0; i < norms.length; i++) {
        norms[i] *= norms[i];
      }
      return norms;
    }
  }
}
