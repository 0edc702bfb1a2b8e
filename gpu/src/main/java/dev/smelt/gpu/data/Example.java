package dev.smelt.gpu.data;

import dev.smelt.formats.Shape;

/** One unit of the data: the loss of an example is one term of the likelihood. */
public sealed interface Example {

  /** A sequence of tokens. */
  sealed interface Sequence extends Example {

    int[] ids();

    /** For each token 0, or 1 in the second text of a pair. */
    int[] segments();

    /** What is to be predicted: one entry per token, or one for the whole sequence. */
    int[] targets();

    default int length() {
      return ids().length;
    }
  }

  /**
   * A stretch of text and the same shifted by one token: {@code targets[i]} follows {@code ids[i]}.
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Window(int[] ids, int[] targets) implements Sequence {
    public Window {
      if (ids.length == 0 || ids.length != targets.length) {
        throw new IllegalArgumentException(
            ids.length + " inputs and " + targets.length + " targets");
      }
    }

    @Override
    public int[] segments() {
      return new int[ids.length];
    }
  }

  /**
   * Text of which some tokens are hidden: {@code targets[i]} is the token that was at {@code i}, or
   * {@link Batch#NO_TARGET} where it still is.
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Masked(int[] ids, int[] segments, int[] targets) implements Sequence {
    public Masked {
      if (ids.length == 0 || ids.length != segments.length || ids.length != targets.length) {
        throw new IllegalArgumentException(
            ids.length
                + " tokens, "
                + segments.length
                + " segments, "
                + targets.length
                + " targets");
      }
    }
  }

  /**
   * A sequence of one class.
   *
   * @param label index of the class
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Labelled(int[] ids, int[] segments, int label) implements Sequence {
    public Labelled {
      if (ids.length == 0 || ids.length != segments.length) {
        throw new IllegalArgumentException(
            ids.length + " tokens and " + segments.length + " segments");
      }
    }

    @Override
    public int[] targets() {
      return new int[] {label};
    }
  }

  /**
   * An image or another tensor of one class. Its elements are read when they are needed.
   *
   * @param shape such as [channels, height, width]
   * @param label index of the class
   */
  record Values(Shape shape, Source source, int label) implements Example {

    /** Where the elements come from. */
    @FunctionalInterface
    public interface Source {

      /** Writes all elements, row-major, to {@code target} from index {@code at} on. */
      void read(float[] target, int at);
    }
  }
}
