package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;

/**
 * ½Fw² with the diagonal Fisher information F: by how much the loss is to rise without the weight.
 * LeCun et al., "Optimal brain damage", NIPS 1989, with the Fisher matrix in place of the Hessian.
 *
 * @param statistics with {@link Statistic#DIAG}
 */
public record FisherLoss(Statistics statistics) implements Criterion {

  @Override
  public String name() {
    return "fisher";
  }

  @Override
  public boolean predictsLoss() {
    return true;
  }

  @Override
  public Scores of(Layer layer) {
    TensorView weight = layer.weight();
    TensorView fisher =
        LayerStatistics.find(statistics, Statistic.DIAG, layer, layer.weight().shape());
    return (first, count, target) -> {
      double[] information = new double[count];
      LayerStatistics.read(statistics, fisher, first, count, information);
      weight.read(first, count, target);
      for (int i = 0; i < count; i++) {
        target[i] = 0.5 * information[i] * target[i] * target[i];
      }
    };
  }
}
