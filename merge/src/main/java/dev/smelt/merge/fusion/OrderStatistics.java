package dev.smelt.merge.fusion;

import java.util.Arrays;

/**
 * Values at given places of a sorted sequence, found by counting digits of their bits, whose order
 * is theirs as none is negative. Nothing is sorted or kept; the sequence is read four times.
 */
final class OrderStatistics {

  /** Values at a time. */
  private static final int BLOCK = 1 << 12;

  private static final int DIGIT_BITS = 16;
  private static final int DIGIT = (1 << DIGIT_BITS) - 1;

  /** What the statistics are of: finite, none negative. */
  @FunctionalInterface
  interface Source {
    void read(long first, int count, double[] values);
  }

  private final Source source;
  private final long size;

  /**
   * @param size how many values there are
   */
  OrderStatistics(Source source, long size) {
    this.source = source;
    this.size = size;
  }

  /**
   * @param ranks places in the sorted sequence, from 0 to size − 1
   */
  double[] of(long... ranks) {
    long[] left = ranks.clone();
    long[] prefixes = new long[ranks.length];
    for (int shift = Long.SIZE - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
      long[][] bins = count(prefixes, shift);
      for (int i = 0; i < left.length; i++) {
        int digit = 0;
        while (left[i] >= bins[i][digit]) {
          left[i] -= bins[i][digit++];
        }
        prefixes[i] = prefixes[i] << DIGIT_BITS | digit;
      }
    }
    return Arrays.stream(prefixes).mapToDouble(Double::longBitsToDouble).toArray();
  }

  /** For each prefix how many of the values that begin with it have which digit next. */
  private long[][] count(long[] prefixes, int shift) {
    long[][] bins = new long[prefixes.length][DIGIT + 1];
    double[] values = new double[(int) Math.min(BLOCK, size)];
    for (long at = 0; at < size; at += values.length) {
      int count = (int) Math.min(values.length, size - at);
      source.read(at, count, values);
      for (int k = 0; k < count; k++) {
        // Adding zero makes a negative zero a positive one.
        long key = Double.doubleToRawLongBits(values[k] + 0.0) >>> shift;
        for (int i = 0; i < prefixes.length; i++) {
          if (key >>> DIGIT_BITS == prefixes[i]) {
            bins[i][(int) key & DIGIT]++;
          }
        }
      }
    }
    return bins;
  }
}
