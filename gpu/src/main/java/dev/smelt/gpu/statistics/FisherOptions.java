package dev.smelt.gpu.statistics;

import dev.smelt.formats.UsageException;

/**
 * How Fisher information is estimated.
 *
 * @param labels which labels define the gradients
 * @param batch examples at a time; changes memory and speed, and results only in their last digits
 * @param seed of the labels drawn, for {@link Labels#SAMPLED}; every example has draws of its own,
 *     which depend on its place in the data and not on the batch
 */
public record FisherOptions(Labels labels, int batch, long seed) {

  public FisherOptions {
    if (batch < 1) {
      throw new UsageException("--batch " + batch + " is too few", "use 1 or more");
    }
  }
}
