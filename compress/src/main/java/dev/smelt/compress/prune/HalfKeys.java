package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import java.util.Arrays;

/** Magnitudes of bf16 or f16 by their 15 bits, which are in order as they are. */
record HalfKeys(Layer layer) implements Keys {

  /** Read at a time: in the second-level cache. */
  private static final int PART = 1 << 16;

  @Override
  public int bits() {
    return Short.SIZE - 1;
  }

  @Override
  public long elements() {
    return layer.weight().elements();
  }

  @FunctionalInterface
  private interface Sink {
    void accept(int at, short[] bits, int count);
  }

  private void read(long first, int count, Sink sink) {
    short[] part = new short[Math.min(PART, count)];
    for (int at = 0; at < count; at += part.length) {
      int length = Math.min(part.length, count - at);
      Halves.read(layer.weight(), first + at, length, part);
      sink.accept(at, part, length);
    }
  }

  @Override
  public void count(long first, int count, int shift, long prefix, long[] bins) {
    // One count in two halves, since neighbours that are equal would wait for each other.
    int[] even = new int[Halves.MAGNITUDE + 1];
    int[] odd = new int[Halves.MAGNITUDE + 1];
    read(
        first,
        count,
        (at, part, length) -> {
          int pairs = length & ~1;
          for (int i = 0; i < pairs; i += 2) {
            even[part[i] & Halves.MAGNITUDE]++;
            odd[part[i + 1] & Halves.MAGNITUDE]++;
          }
          if (pairs < length) {
            even[part[pairs] & Halves.MAGNITUDE]++;
          }
        });
    for (int key = 0; key <= Halves.MAGNITUDE; key++) {
      bins[key] += even[key] + (long) odd[key];
    }
    int infinity = Halves.infinity(layer.weight().dtype());
    if (Arrays.stream(bins, infinity, Halves.MAGNITUDE + 1).anyMatch(found -> found > 0)) {
      layer.requireFinite();
    }
  }

  @Override
  public int countEqual(long first, int count, long key) {
    int wanted = (int) key;
    int[] found = new int[1];
    read(
        first,
        count,
        (at, part, length) -> {
          int equal = 0;
          for (int i = 0; i < length; i++) {
            equal += (part[i] & Halves.MAGNITUDE) == wanted ? 1 : 0;
          }
          found[0] += equal;
        });
    return found[0];
  }

  @Override
  public void mark(long first, int count, long limit, long ties, Mask.Builder mask) {
    int[] left = {(int) Math.min(ties, count)};
    int bound = (int) limit;
    read(
        first,
        count,
        (at, part, length) -> {
          for (int from = 0; from < length; from += Long.SIZE) {
            int end = Math.min(length, from + Long.SIZE);
            int top = left[0] >= Long.SIZE ? bound + 1 : bound;
            long word = below(part, from, end, top);
            if (left[0] > 0) {
              word |= equal(part, from, end, bound, left);
            }
            mask.setWord((first + at + from) / Long.SIZE, word);
          }
        });
  }

  private static long below(short[] part, int from, int end, int bound) {
    long word = 0;
    for (int i = from; i < end; i++) {
      word |= ((long) ((part[i] & Halves.MAGNITUDE) - bound) >>> (Long.SIZE - 1)) << (i - from);
    }
    return word;
  }

  /** The first of those that equal the bound, as many as are left. */
  private static long equal(short[] part, int from, int end, int bound, int[] left) {
    long word = 0;
    for (int i = from; i < end; i++) {
      if ((part[i] & Halves.MAGNITUDE) == bound && left[0] > 0) {
        word |= 1L << (i - from);
        left[0]--;
      }
    }
    return word;
  }
}
