package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;

/**
 * |W_jk|·√A_kk with the mean square A_kk of the k-th input. Sun et al., "A simple and effective
 * pruning approach for large language models", ICLR 2024, arXiv 2306.11695.
 *
 * @param statistics with {@link Statistic#INPUT_NORMS} or {@link Statistic#INPUT_GRAM}
 */
public record Wanda(Statistics statistics) implements Criterion {

  @Override
  public String name() {
    return "wanda";
  }

  @Override
  public Scores of(Layer layer) {
    TensorView weight = layer.weight();
    double[] norms = norms(layer);
    return (first, count, target) -> {
      weight.read(first, count, target);
      for (int i = 0; i < count; i++) {
        target[i] = Math.abs(target[i]) * norms[layer.inputOf(first + i)];
      }
    };
  }

  private double[] norms(Layer layer) {
    int inputs = layer.storedIn();
    double[] norms = new double[inputs];
    if (statistics.find(Statistic.INPUT_NORMS, layer.weight().name()).isPresent()
        || !statistics.has(Statistic.INPUT_GRAM)) {
      TensorView squares =
          LayerStatistics.find(statistics, Statistic.INPUT_NORMS, layer, Shape.of(inputs));
      LayerStatistics.read(statistics, squares, 0, inputs, norms);
    } else {
      readDiagonal(layer, norms);
    }
    for (int k = 0; k < inputs; k++) {
      norms[k] = Math.sqrt(norms[k]);
    }
    return norms;
  }

  private void readDiagonal(Layer layer, double[] diagonal) {
    int inputs = diagonal.length;
    TensorView gram =
        LayerStatistics.find(statistics, Statistic.INPUT_GRAM, layer, Shape.of(inputs, inputs));
    double[] square = new double[1];
    for (int k = 0; k < inputs; k++) {
      LayerStatistics.read(statistics, gram, (long) k * (inputs + 1), 1, square);
      diagonal[k] = square[0];
    }
  }
}
