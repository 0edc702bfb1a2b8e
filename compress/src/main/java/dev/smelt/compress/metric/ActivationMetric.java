package dev.smelt.compress.metric;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weight;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistics;

/**
 * The error of a layer's outputs on the data: R Rᵀ = A = E[x xᵀ], so that ‖(W − Ŵ)R‖² = E‖Wx −
 * Ŵx‖². Wang et al., "SVD-LLM", ICLR 2025, arXiv 2403.07378.
 *
 * @param statistics with the Gram matrices of the layers' inputs
 * @param damping added to the diagonal, as a share of its mean
 */
public record ActivationMetric(Statistics statistics, double damping) implements Metric {

  public ActivationMetric {
    KroneckerMetric.requireDamping(damping);
  }

  @Override
  public String name() {
    return "activation";
  }

  @Override
  public boolean predictsLoss() {
    return false;
  }

  @Override
  public Weighted weighting(LinearAlgebra algebra, Layer layer) {
    GramRoot input = GramRoot.ofInputs(algebra, statistics, layer, damping);
    return input.isZero()
        ? Weighted.withoutInformation("inputs are")
        : new Weighted(new Weighting(Weight.NONE, input.weight(), 1), input.shrinkage());
  }

  @Override
  public Curvature.Sides sides(Layer layer) {
    return new Curvature.Sides(new Curvature.Flat(), Grams.ofInputs(statistics, layer));
  }
}
