package dev.smelt.compress.factorize;

import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.Optional;

/** What "close to W" means: the norm ‖L(W − Ŵ)R‖ that the factors minimise. */
public sealed interface Metric permits PlainMetric, FisherMetric {

  /** As in {@code --metric}. */
  String name();

  /**
   * L and R of one layer.
   *
   * @param algebra in which L and R will be used
   * @throws NotFoundException when statistics are needed that are not there
   * @throws MismatchException when they are of another shape
   */
  Weighted weighting(LinearAlgebra algebra, Layer layer);

  /**
   * What a metric says of one layer.
   *
   * @param shrinkage how far Gram matrices were moved toward a multiple of I to make them positive
   *     definite, as a share of their mean diagonal; 0 where the metric has none
   * @param remark why the weights are not what the metric asked for, if they are not
   */
  record Weighted(Weighting weighting, double shrinkage, Optional<String> remark) {

    static Weighted of(Weighting weighting) {
      return new Weighted(weighting, 0, Optional.empty());
    }
  }
}
