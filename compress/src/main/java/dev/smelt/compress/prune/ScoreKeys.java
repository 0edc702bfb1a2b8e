package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.NonFiniteException;

/**
 * Scores of a tensor's weights by the bits of their doubles, whose order is theirs as none is
 * negative. Several threads may ask at a time, for ranges that start at multiples of 64.
 */
record ScoreKeys(Layer layer, Scores scores) {

  /** Keys are below 2 to this. */
  static final int BITS = Long.SIZE - 1;

  /** A digit of a key, by which keys are counted; the first one may be shorter. */
  static final int DIGIT_BITS = 16;

  private static final long INFINITY = Double.doubleToRawLongBits(Double.POSITIVE_INFINITY);

  /** Read at a time: in the second-level cache. */
  private static final int PART = 1 << 14;

  long elements() {
    return layer.weight().elements();
  }

  @FunctionalInterface
  private interface Sink {
    void accept(int at, double[] scores, int count);
  }

  private void read(long first, int count, Sink sink) {
    double[] part = new double[Math.min(PART, count)];
    for (int at = 0; at < count; at += part.length) {
      int length = Math.min(part.length, count - at);
      scores.read(first + at, length, part);
      sink.accept(at, part, length);
    }
  }

  private static long key(double score) {
    // Adding zero makes a negative zero a positive one.
    return Double.doubleToRawLongBits(score + 0.0);
  }

  /**
   * Counts by their next digit those keys that begin with {@code prefix}.
   *
   * @param shift how many bits follow the digit
   * @param prefix the bits before it
   * @param bins to which the counts are added, by digit
   * @throws NonFiniteException when a weight or a score is no finite number
   */
  void count(long first, int count, int shift, long prefix, long[] bins) {
    read(
        first,
        count,
        (at, part, length) -> {
          for (int i = 0; i < length; i++) {
            long key = key(part[i]);
            if (key >>> shift >>> DIGIT_BITS == prefix) {
              bins[(int) (key >>> shift) & ((1 << DIGIT_BITS) - 1)]++;
            }
            if (key < 0 || key >= INFINITY) {
              throw notFinite(first + at + i, part[i]);
            }
          }
        });
  }

  private NonFiniteException notFinite(long index, double score) {
    layer.requireFinite();
    return new NonFiniteException(
        "score out of range",
        layer.checkpoint() + "|" + layer.weight().name(),
        "found " + score + " at index " + index,
        "compute the statistics again or pass --exclude " + layer.module());
  }

  int countEqual(long first, int count, long key) {
    int[] found = new int[1];
    read(
        first,
        count,
        (at, part, length) -> {
          for (int i = 0; i < length; i++) {
            found[0] += key(part[i]) == key ? 1 : 0;
          }
        });
    return found[0];
  }

  /**
   * Marks keys below {@code limit}, and the first {@code ties} of those that equal it.
   *
   * @param ties from the start of this range on
   */
  void mark(long first, int count, long limit, long ties, Mask.Builder mask) {
    long[] left = {ties};
    read(
        first,
        count,
        (at, part, length) -> {
          for (int from = 0; from < length; from += Long.SIZE) {
            long word = 0;
            for (int i = from; i < Math.min(length, from + Long.SIZE); i++) {
              long key = key(part[i]);
              if (key < limit || (key == limit && left[0]-- > 0)) {
                word |= 1L << i;
              }
            }
            mask.setWord((first + at + from) / Long.SIZE, word);
          }
        });
  }
}
