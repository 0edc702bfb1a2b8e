package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;

/**
 * The mean over the data of |w_jk x_k| / Σ_l |w_jl x_l|: what part of an output the weight makes.
 * Relative importance, arXiv 2410.16151. A weight that is zero already contributes nothing.
 *
 * @param statistics with {@link Statistic#CONTRIBUTION}
 */
public record Contribution(Statistics statistics) implements Criterion {

  @Override
  public String name() {
    return "contribution";
  }

  @Override
  public Scores of(Layer layer) {
    TensorView contribution =
        LayerStatistics.find(statistics, Statistic.CONTRIBUTION, layer, layer.weight().shape());
    return (first, count, target) ->
        LayerStatistics.read(statistics, contribution, first, count, target);
  }
}
