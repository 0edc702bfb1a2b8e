package dev.smelt.gpu.data;

import dev.smelt.formats.MismatchException;
import java.util.List;
import java.util.stream.IntStream;

/** Examples side by side. */
public sealed interface Batch permits TokenBatch, TensorBatch {

  /** In place of a target where no prediction counts: at padding, and at tokens not masked. */
  int NO_TARGET = -1;

  /**
   * @param first index in the data set of the first example
   * @param examples of one kind, at least one
   */
  static Batch of(long first, List<Example> examples) {
    return switch (examples.getFirst()) {
      case Example.Sequence _ ->
          TokenBatch.of(first, examples.stream().map(Example.Sequence.class::cast).toList());
      case Example.Values _ ->
          TensorBatch.of(first, examples.stream().map(Example.Values.class::cast).toList());
    };
  }

  /** Index in the data set of the first example. */
  long first();

  /** B, examples. */
  int size();

  /**
   * [B, P], row-major, P the predictions of one example: next tokens or masked tokens, or [B, 1]
   * classes; {@link #NO_TARGET} where a prediction does not count.
   */
  int[] targets();

  /** Tokens that are not padding; 0 where examples are no sequences. */
  long tokenCount();

  /** P, predictions of one example in the network's output. */
  default int predictionsPerExample() {
    return targets().length / size();
  }

  /** Whether prediction {@code t} of example {@code b} counts. */
  default boolean counts(int b, int t) {
    return targets()[b * predictionsPerExample() + t] != NO_TARGET;
  }

  /** The targets as indices: 0 in place of {@link #NO_TARGET}. */
  default int[] targetIndices() {
    return IntStream.of(targets()).map(target -> Math.max(target, 0)).toArray();
  }

  /**
   * For networks that say what they predict only when they have run.
   *
   * @param classes of the network's output
   * @throws MismatchException at a target that is none of them
   */
  default void requireTargetsBelow(long classes) {
    for (int target : targets()) {
      if (target >= classes) {
        throw new MismatchException(
            "label outside the network's classes",
            "examples " + first() + " to " + (first() + size() - 1),
            "found " + target + ", the network has " + classes,
            "are these data for another network?");
      }
    }
  }

  /** As what a network of tokens takes. */
  default TokenBatch tokens() {
    throw new IllegalStateException("not a batch of tokens");
  }

  /** As what a network of images or other tensors takes. */
  default TensorBatch values() {
    throw new IllegalStateException("not a batch of tensors");
  }
}
