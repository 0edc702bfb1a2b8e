package dev.smelt.compress.factorize;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;

/** What "close to W" means: the norm ‖L(W − Ŵ)R‖ that the factors minimise. */
public sealed interface Metric permits PlainMetric, FisherMetric {

  /** As in {@code --metric}. */
  String name();

  /**
   * L and R of one layer.
   *
   * @throws NotFoundException when statistics are needed that are not there
   * @throws MismatchException when they are of another shape
   */
  Weighting weighting(Layer layer);
}
