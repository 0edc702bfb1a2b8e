package dev.smelt.gpu.data;

import java.util.List;

/**
 * Examples side by side, padded on the right to the longest. Row-major [B, T] arrays hold token 0
 * where {@code t >= lengths[b]}; nothing there may influence a result.
 *
 * @param first index in the data set of the first example
 * @param size B, examples
 * @param length T, tokens of the longest
 * @param tokens [B, T]
 * @param segments [B, T], 0 or 1
 * @param lengths [B]
 * @param targets [B, T] next tokens for language modelling, [B] classes for classification
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
public record Batch(
    long first, int size, int length, int[] tokens, int[] segments, int[] lengths, int[] targets) {

  /**
   * @param first index in the data set of the first example
   * @param examples of one kind, at least one
   */
  public static Batch of(long first, List<Example> examples) {
    int size = examples.size();
    int length = examples.stream().mapToInt(Example::length).max().orElseThrow();
    int[] tokens = new int[size * length];
    int[] segments = new int[size * length];
    int[] lengths = new int[size];
    boolean windows = examples.getFirst() instanceof Example.Window;
    int[] targets = new int[windows ? size * length : size];
    for (int b = 0; b < size; b++) {
      Example example = examples.get(b);
      lengths[b] = example.length();
      switch (example) {
        case Example.Window window -> {
          System.arraycopy(window.inputs(), 0, tokens, b * length, lengths[b]);
          System.arraycopy(window.targets(), 0, targets, b * length, lengths[b]);
        }
        case Example.Labelled labelled -> {
          System.arraycopy(labelled.tokens(), 0, tokens, b * length, lengths[b]);
          System.arraycopy(labelled.segments(), 0, segments, b * length, lengths[b]);
          targets[b] = labelled.label();
        }
      }
    }
    return new Batch(first, size, length, tokens, segments, lengths, targets);
  }

  /** Predictions that count: positions that are not padding, or examples. */
  public long predictions() {
    return predictionsPerExample() == 1 ? size : tokenCount();
  }

  /** Tokens that are not padding. */
  public long tokenCount() {
    long count = 0;
    for (int exampleLength : lengths) {
      count += exampleLength;
    }
    return count;
  }

  /** Predictions of one example in the network's output: T for language modelling, else 1. */
  public int predictionsPerExample() {
    return targets.length / size;
  }

  /** Whether prediction {@code t} of example {@code b} is not padding. */
  public boolean counts(int b, int t) {
    return predictionsPerExample() == 1 || t < lengths[b];
  }
}
