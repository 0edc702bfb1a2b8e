package dev.smelt.formats.packed;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Elements of w = 8, 16, 32 or 64 bits, a word of 64 bits at a time: it holds L = 64/w of them, the
 * first one lowest.
 *
 * <p>With H the highest bit of every lane, ((x & ~H) + ~H | x) & H has that bit where a lane is not
 * 0: a sum of two numbers below 2^(w−1) reaches it exactly when the first is not 0, and never
 * leaves its lane. With those bits h, (h << 1) − (h >>> (w−1)) is all ones in the same lanes, for
 * 2^end − 2^start of each.
 */
final class Lanes implements Kernel {

  /** Elements of which one word of bits speaks; they take as many words as an element has bits. */
  private static final int GROUP = Long.SIZE;

  private static final VarHandle WORD =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private static final long HIGH_8 = repeated(8) << 7;
  private static final long HIGH_16 = repeated(16) << 15;
  private static final long HIGH_32 = repeated(32) << 31;
  private static final long HIGH_64 = Long.MIN_VALUE;

  private final int width;

  /** A part, with zeros up to a whole group. Heap memory is faster than files at small steps. */
  private final byte[] part;

  /**
   * @param width bits of an element: 8, 16, 32 or 64
   */
  Lanes(int width) {
    this.width = width;
    this.part = new byte[PART * (width / Byte.SIZE)];
  }

  /** Bit 0 of every {@code step}. */
  private static long repeated(int step) {
    long word = 0;
    for (int at = 0; at < Long.SIZE; at += step) {
      word |= 1L << at;
    }
    return word;
  }

  private static long nonZero(long word, long high) {
    return (((word & ~high) + ~high) | word) & high;
  }

  // Each loop is written once and called with constants for every width: so the compiler unrolls
  // it, which makes it twice as fast.

  @Override
  public long count(MemorySegment dense) {
    long count = 0;
    for (long at = 0; at < dense.byteSize(); at += part.length) {
      int groups = load(dense, at, Math.min(part.length, dense.byteSize() - at));
      int words = groups * width;
      count +=
          switch (width) {
            case 8 -> count(part, words, HIGH_8);
            case 16 -> count(part, words, HIGH_16);
            case 32 -> count(part, words, HIGH_32);
            default -> count(part, words, HIGH_64);
          };
    }
    return count;
  }

  private static long count(byte[] part, int words, long high) {
    long count = 0;
    for (int i = 0; i < words; i++) {
      count += Long.bitCount(nonZero((long) WORD.get(part, i * Long.BYTES), high));
    }
    return count;
  }

  /**
   * Reads elements into the part, with zeros behind them, and tells in how many groups they are.
   */
  private int load(MemorySegment dense, long start, long length) {
    int groups = groups(length);
    copy(dense, start, length, part);
    Arrays.fill(part, (int) length, groups * width * Long.BYTES, (byte) 0);
    return groups;
  }

  /** Reads bytes into the start of an array. */
  private static void copy(MemorySegment from, long start, long length, byte[] to) {
    MemorySegment.copy(from, ValueLayout.JAVA_BYTE, start, to, 0, (int) length);
  }

  /** The number of groups of so many bytes. */
  private int groups(long bytes) {
    return (int) Math.ceilDiv(bytes, (long) width * Long.BYTES);
  }

  @Override
  public int pack(MemorySegment dense, byte[] bits, byte[] values) {
    int groups = load(dense, 0, dense.byteSize());
    return switch (width) {
      case 8 -> pack(part, groups, bits, values, 8, HIGH_8);
      case 16 -> pack(part, groups, bits, values, 16, HIGH_16);
      case 32 -> pack(part, groups, bits, values, 32, HIGH_32);
      default -> pack(part, groups, bits, values, 64, HIGH_64);
    };
  }

  private static int pack(
      byte[] part, int groups, byte[] bits, byte[] values, int width, long high) {
    int to = 0;
    for (int group = 0; group < groups; group++) {
      long mask = 0;
      for (int i = 0; i < width; i++) {
        long word = (long) WORD.get(part, (group * width + i) * Long.BYTES);
        long highest = nonZero(word, high);
        long lanes = (highest << 1) - (highest >>> (width - 1));
        WORD.set(values, to, Long.compress(word, lanes));
        to += Long.bitCount(lanes) >>> 3;
        mask |= Long.compress(highest, high) << (i * (GROUP / width));
      }
      WORD.set(bits, group * Long.BYTES, mask);
    }
    return to;
  }

  @Override
  public void finish(byte[] values) {}

  @Override
  public void unpack(MemorySegment bits, MemorySegment values, MemorySegment dense) {
    byte[] someBits = new byte[PART / Byte.SIZE];
    byte[] someValues = new byte[part.length + SLACK];
    long bitsAt = 0;
    long from = 0;
    for (long to = 0; to < dense.byteSize(); to += part.length) {
      long length = Math.min(part.length, dense.byteSize() - to);
      long bitBytes = Math.min(someBits.length, bits.byteSize() - bitsAt);
      Arrays.fill(someBits, (byte) 0);
      copy(bits, bitsAt, bitBytes, someBits);
      int groups = groups(length);
      int valueBytes = stored(someBits, groups) * (width / Byte.SIZE);
      copy(values, from, valueBytes, someValues);
      unpack(someBits, someValues, groups);
      MemorySegment.copy(part, 0, dense, ValueLayout.JAVA_BYTE, to, (int) length);
      from += valueBytes;
      bitsAt += bitBytes;
    }
  }

  private static int stored(byte[] bits, int groups) {
    int count = 0;
    for (int group = 0; group < groups; group++) {
      count += Long.bitCount((long) WORD.get(bits, group * Long.BYTES));
    }
    return count;
  }

  private void unpack(byte[] bits, byte[] values, int groups) {
    switch (width) {
      case 8 -> unpack(part, groups, bits, values, 8, HIGH_8);
      case 16 -> unpack(part, groups, bits, values, 16, HIGH_16);
      case 32 -> unpack(part, groups, bits, values, 32, HIGH_32);
      default -> unpack(part, groups, bits, values, 64, HIGH_64);
    }
  }

  private static void unpack(
      byte[] part, int groups, byte[] bits, byte[] values, int width, long high) {
    int from = 0;
    for (int group = 0; group < groups; group++) {
      long mask = (long) WORD.get(bits, group * Long.BYTES);
      for (int i = 0; i < width; i++) {
        long highest = Long.expand(mask >>> (i * (GROUP / width)), high);
        long lanes = (highest << 1) - (highest >>> (width - 1));
        long word = Long.expand((long) WORD.get(values, from), lanes);
        WORD.set(part, (group * width + i) * Long.BYTES, word);
        from += Long.bitCount(lanes) >>> 3;
      }
    }
  }
}
