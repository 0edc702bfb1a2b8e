package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;

/** What makes a weight worth keeping. */
public sealed interface Criterion permits Magnitude, FisherLoss, Wanda, Contribution, Obs {

  /** As on the command line. */
  String name();

  /** Whether a score is the loss, in nats per example, that the weight's removal is to cost. */
  default boolean predictsLoss() {
    return false;
  }

  /**
   * Scores of a layer's weights, which must be a whole tensor.
   *
   * @throws NotFoundException when statistics of the layer are missing
   * @throws MismatchException when they are of another shape
   * @throws NonFiniteException when they are no numbers, or negative; also from {@link Scores#read}
   */
  Scores of(Layer layer);
}
