package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import java.util.Arrays;

/** Magnitudes of bf16 or f16 by their 15 bits, which are in order as they are. */
record HalfKeys(Layer layer) implements Keys {

  /** Read at a time: in the second-level cache. */
  private static final int PART = 1 << 16;

  private static final int SIGN = 0x8000;
  private static final long SIGNS = Halves.repeat(SIGN);
  private static final long MAGNITUDES = Halves.repeat(Halves.MAGNITUDE);
  private static final long GATHER = 0x0001_0002_0004_0008L;

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
    long[] words = new long[PART / Halves.IN_WORD];
    int bound = (int) limit;
    long left = ties;
    for (int at = 0; at < count; at += PART) {
      int length = Math.min(PART, count - at);
      Halves.read(layer.weight(), first + at, length, words);
      for (int from = 0; from < length; from += Long.SIZE) {
        int here = Math.min(Long.SIZE, length - from);
        long within = -1L >>> (Long.SIZE - here);
        long gone = below(words, from / Halves.IN_WORD, here, bound) & within;
        if (left > 0) {
          long equal = below(words, from / Halves.IN_WORD, here, bound + 1) & within & ~gone;
          equal = lowest(equal, left);
          left -= Long.bitCount(equal);
          gone |= equal;
        }
        mask.setWord((first + at + from) / Long.SIZE, gone);
      }
    }
  }

  /** A bit for each weight: four magnitudes at a time, whose sums leave their sign bits free. */
  private static long below(long[] words, int from, int count, int bound) {
    long distance = Halves.repeat(SIGN - bound);
    long bits = 0;
    int length = Math.ceilDiv(count, Halves.IN_WORD);
    for (int i = 0; i < length; i++) {
      long least = ~((words[from + i] & MAGNITUDES) + distance) & SIGNS;
      // Bits 0, 16, 32 and 48 come to lie beside each other.
      long beside = ((least >>> (Short.SIZE - 1)) * GATHER) >>> (Long.SIZE - Short.SIZE);
      bits |= (beside & ((1 << Halves.IN_WORD) - 1)) << (i * Halves.IN_WORD);
    }
    return bits;
  }

  /** As many of the bits as are left, the lowest first. */
  private static long lowest(long bits, long left) {
    long rest = bits;
    for (long taken = 0; taken < left && rest != 0; taken++) {
      rest &= rest - 1;
    }
    return bits & ~rest;
  }
}
