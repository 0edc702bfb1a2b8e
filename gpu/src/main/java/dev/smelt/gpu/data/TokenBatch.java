package dev.smelt.gpu.data;

import java.util.Arrays;
import java.util.List;

/**
 * Sequences side by side, padded on the right to the longest. Row-major [B, T] arrays hold token 0
 * where {@code t >= lengths[b]}; nothing there may influence a result.
 *
 * @param length T, tokens of the longest
 * @param ids [B, T], the tokens
 * @param segments [B, T], 0 or 1
 * @param lengths [B]
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
public record TokenBatch(
    long first, int size, int length, int[] ids, int[] segments, int[] lengths, int[] targets)
    implements Batch {

  static TokenBatch of(long first, List<Example.Sequence> examples) {
    int size = examples.size();
    int length = examples.stream().mapToInt(Example.Sequence::length).max().orElseThrow();
    int[] ids = new int[size * length];
    int[] segments = new int[size * length];
    int[] lengths = new int[size];
    int predictions = examples.getFirst() instanceof Example.Labelled ? 1 : length;
    int[] targets = new int[size * predictions];
    Arrays.fill(targets, NO_TARGET);
    for (int b = 0; b < size; b++) {
      Example.Sequence example = examples.get(b);
      lengths[b] = example.length();
      System.arraycopy(example.ids(), 0, ids, b * length, lengths[b]);
      System.arraycopy(example.segments(), 0, segments, b * length, lengths[b]);
      int[] wanted = example.targets();
      System.arraycopy(wanted, 0, targets, b * predictions, wanted.length);
    }
    return new TokenBatch(first, size, length, ids, segments, lengths, targets);
  }

  /** Whether some example is shorter than another. */
  public boolean isPadded() {
    return Arrays.stream(lengths).anyMatch(shorter -> shorter < length);
  }

  @Override
  public long tokenCount() {
    return Arrays.stream(lengths).asLongStream().sum();
  }

  @Override
  public TokenBatch tokens() {
    return this;
  }
}
