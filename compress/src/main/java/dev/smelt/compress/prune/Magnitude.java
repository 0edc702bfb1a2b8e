package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;

/**
 * |w|. Han et al., "Learning both weights and connections for efficient neural networks", NeurIPS
 * 2015, arXiv 1506.02626.
 */
public record Magnitude() implements Criterion {

  @Override
  public String name() {
    return "magnitude";
  }

  @Override
  public Scores of(Layer layer) {
    TensorView weight = layer.weight();
    return (first, count, target) -> {
      weight.read(first, count, target);
      for (int i = 0; i < count; i++) {
        target[i] = Math.abs(target[i]);
      }
    };
  }
}
