package dev.smelt.gpu.data;

/** One unit of the data: the loss of an example is one term of the likelihood. */
public sealed interface Example {

  int length();

  /**
   * A stretch of text and the same shifted by one token: {@code targets[i]} follows {@code
   * inputs[i]}.
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Window(int[] inputs, int[] targets) implements Example {
    public Window {
      if (inputs.length == 0 || inputs.length != targets.length) {
        throw new IllegalArgumentException(
            inputs.length + " inputs and " + targets.length + " targets");
      }
    }

    @Override
    public int length() {
      return inputs.length;
    }
  }

  /**
   * A sequence of one class.
   *
   * @param segments for each token 0, or 1 in the second text of a pair
   * @param label index of the class
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Labelled(int[] tokens, int[] segments, int label) implements Example {
    public Labelled {
      if (tokens.length == 0 || tokens.length != segments.length) {
        throw new IllegalArgumentException(
            tokens.length + " tokens and " + segments.length + " segments");
      }
    }

    @Override
    public int length() {
      return tokens.length;
    }
  }
}
