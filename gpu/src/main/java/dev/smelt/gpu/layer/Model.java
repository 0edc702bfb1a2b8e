package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.data.Batch;
import java.util.Optional;

/** The forward pass of an architecture. */
public interface Model {

  /**
   * Why gradients of single examples take a backward pass each, if they do: because some parameter
   * is used whole ({@link Use.Whole}).
   */
  default Optional<String> singleExamples() {
    return Optional.empty();
  }

  /**
   * @param manager owns the result and all that is made on the way
   * @return unnormalised log-probabilities: [B, T, vocabulary] for language modelling, [B, 1,
   *     classes] for classification
   */
  NDArray logits(NDManager manager, Batch batch, Tape tape);
}
