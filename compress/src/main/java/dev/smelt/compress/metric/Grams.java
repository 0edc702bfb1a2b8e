package dev.smelt.compress.metric;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;

/** Where the Gram matrices of a layer lie in statistics. */
public final class Grams {

  private Grams() {}

  /** A = E[x xᵀ], as far as the inputs are the layer's. */
  public static Curvature.Gram ofInputs(Statistics statistics, Layer layer) {
    return new Curvature.Gram(
        find(statistics, Statistic.INPUT_GRAM, layer, layer.storedIn()), layer.inputs());
  }

  /** G = E[δ δᵀ], as far as the outputs are the layer's. */
  public static Curvature.Gram ofGradients(Statistics statistics, Layer layer) {
    return new Curvature.Gram(
        find(statistics, Statistic.GRAD_GRAM, layer, layer.storedOut()), layer.outputs());
  }

  /**
   * @throws NotFoundException when the statistics lack it
   * @throws MismatchException when it is of another order
   */
  private static TensorView find(
      Statistics statistics, Statistic statistic, Layer layer, int order) {
    String name = statistic.tensorName(layer.weight().name());
    TensorView gram =
        statistics
            .find(statistic, layer.weight().name())
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no Gram matrix for a layer",
                        statistics.path() + "|" + name,
                        "",
                        "compute it with smelt fisher --stats input-gram,grad-gram, or --exclude "
                            + layer.module()));
    if (!gram.shape().equals(Shape.of(order, order))) {
      throw new MismatchException(
          "Gram matrix of another shape",
          statistics.path() + "|" + name,
          "expected " + Shape.of(order, order) + ", found " + gram.shape(),
          "compute the statistics of this model");
    }
    gram.firstNonFinite()
        .ifPresent(
            index -> {
              throw new NonFiniteException(
                  "invalid Gram matrix",
                  statistics.path() + "|" + name,
                  "found a NaN or an infinity at index " + index,
                  "compute the statistics again");
            });
    return gram;
  }
}
