package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;

/** Statistics that are sums of squares or of magnitudes: numbers that are not negative. */
final class LayerStatistics {

  private LayerStatistics() {}

  /**
   * @throws NotFoundException when the statistics lack it
   * @throws MismatchException when it is of another shape
   */
  static TensorView find(Statistics statistics, Statistic statistic, Layer layer, Shape shape) {
    String name = statistic.tensorName(layer.weight().name());
    TensorView found =
        statistics
            .find(statistic, layer.weight().name())
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no " + statistic + " statistics for a matrix",
                        statistics.path() + "|" + name,
                        "",
                        "compute them with smelt fisher --stats "
                            + statistic
                            + ", or --exclude "
                            + layer.module()));
    if (!found.shape().equals(shape)) {
      throw new MismatchException(
          "statistics of another shape",
          statistics.path() + "|" + name,
          "expected " + shape + ", found " + found.shape(),
          "compute the statistics of this model");
    }
    return found;
  }

  /**
   * @throws NonFiniteException when one of the values is no number, or negative
   */
  static void read(
      Statistics statistics, TensorView statistic, long first, int count, double[] target) {
    statistic.read(first, count, target);
    for (int i = 0; i < count; i++) {
      if (!(target[i] >= 0) || Double.isInfinite(target[i])) {
        throw new NonFiniteException(
            "invalid statistics",
            statistics.path() + "|" + statistic.name(),
            "expected finite numbers >= 0, found " + target[i] + " at index " + (first + i),
            "compute the statistics again");
      }
    }
  }
}
