package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.data.Batch;

/** The forward pass of an architecture. */
@FunctionalInterface
public interface Model {

  /**
   * @param manager owns the result and all that is made on the way
   * @return unnormalised log-probabilities: [B, T, vocabulary] for language modelling, [B, 1,
   *     classes] for classification
   */
  NDArray logits(NDManager manager, Batch batch, Tape tape);
}
