package dev.smelt.formats.packed;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Elements of 1, 2, 4 or 8 bytes, 8 bytes at a time: a word holds L = 64/w of them, the first one
 * lowest.
 *
 * <p>With H the highest bit of every lane, ((x & ~H) + ~H | x) & H has that bit where a lane is not
 * 0: a sum of two numbers below 2^(w−1) reaches it exactly when the first is not 0, and never
 * leaves its lane.
 */
final class Lanes implements Kernel {

  /** Elements that one word of bits speaks of. */
  static final int GROUP = Long.SIZE;

  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final int width;
  private final int bytesOfElement;
  private final long high;

  /**
   * @param width bits of an element: 8, 16, 32 or 64
   */
  Lanes(int width) {
    this.width = width;
    this.bytesOfElement = width / Byte.SIZE;
    long lanes = 0;
    for (int at = width - 1; at < Long.SIZE; at += width) {
      lanes |= 1L << at;
    }
    this.high = lanes;
  }

  /** The highest bit of every lane that is not 0. */
  private static long nonZero(long word, long high) {
    return (((word & ~high) + ~high) | word) & high;
  }

  @Override
  public long count(MemorySegment dense) {
    long high = this.high;
    long words = dense.byteSize() / Long.BYTES;
    long count = 0;
    for (long i = 0; i < words; i++) {
      count += Long.bitCount(nonZero(dense.get(WORD, i * Long.BYTES), high));
    }
    for (long at = words * Long.BYTES; at < dense.byteSize(); at += bytesOfElement) {
      count += isZero(dense, at) ? 0 : 1;
    }
    return count;
  }

  @Override
  public long pack(MemorySegment dense, MemorySegment bits, MemorySegment values) {
    long high = this.high;
    int shift = width - 1;
    int lanes = Long.SIZE / width;
    int unit = bytesOfElement;
    long groupBytes = (long) GROUP * unit;
    long groups = dense.byteSize() / groupBytes;
    long to = 0;
    for (long g = 0; g < groups; g++) {
      long from = g * groupBytes;
      long mask = 0;
      for (int lane = 0; lane < GROUP; lane += lanes) {
        long word = dense.get(WORD, from);
        long present = nonZero(word, high);
        // A lane of ones is 2^(its end) − 2^(its start).
        long whole = (present << 1) - (present >>> shift);
        values.set(WORD, to, Long.compress(word, whole));
        to += (long) Long.bitCount(present) * unit;
        mask |= Long.compress(present, high) << lane;
        from += Long.BYTES;
      }
      bits.set(WORD, g * Long.BYTES, mask);
    }
    return packRest(dense, groups, bits, values, to);
  }

  private long packRest(
      MemorySegment dense, long groups, MemorySegment bits, MemorySegment values, long start) {
    long to = start;
    long elements = dense.byteSize() / bytesOfElement;
    for (long i = groups * GROUP; i < elements; i++) {
      long from = i * bytesOfElement;
      if (!isZero(dense, from)) {
        long at = i / Byte.SIZE;
        int byteOfBits = bits.get(ValueLayout.JAVA_BYTE, at) | 1 << (int) (i % Byte.SIZE);
        bits.set(ValueLayout.JAVA_BYTE, at, (byte) byteOfBits);
        MemorySegment.copy(dense, from, values, to, bytesOfElement);
        to += bytesOfElement;
      }
    }
    return to;
  }

  @Override
  public void finish(MemorySegment values) {}

  @Override
  public void unpack(MemorySegment bits, MemorySegment values, MemorySegment dense) {
    long high = this.high;
    int shift = width - 1;
    int lanes = Long.SIZE / width;
    int unit = bytesOfElement;
    long groupBytes = (long) GROUP * unit;
    long groups = dense.byteSize() / groupBytes;
    long from = 0;
    long g = 0;
    // Words of values are read whole, so the last ones are left to the slow way.
    for (long last = values.byteSize() - groupBytes - Long.BYTES; g < groups && from <= last; g++) {
      long to = g * groupBytes;
      long mask = bits.get(WORD, g * Long.BYTES);
      for (int lane = 0; lane < GROUP; lane += lanes) {
        long present = Long.expand(mask >>> lane, high);
        long whole = (present << 1) - (present >>> shift);
        dense.set(WORD, to, Long.expand(values.get(WORD, from), whole));
        from += (long) Long.bitCount(present) * unit;
        to += Long.BYTES;
      }
    }
    unpackRest(bits, g, values, from, dense);
  }

  private void unpackRest(
      MemorySegment bits, long groups, MemorySegment values, long start, MemorySegment dense) {
    long from = start;
    long elements = dense.byteSize() / bytesOfElement;
    for (long i = groups * GROUP; i < elements && from < values.byteSize(); i++) {
      int byteOfBits = bits.get(ValueLayout.JAVA_BYTE, i / Byte.SIZE);
      if ((byteOfBits >>> (int) (i % Byte.SIZE) & 1) == 1) {
        MemorySegment.copy(values, from, dense, i * bytesOfElement, bytesOfElement);
        from += bytesOfElement;
      }
    }
  }

  private boolean isZero(MemorySegment dense, long at) {
    for (int i = 0; i < bytesOfElement; i++) {
      if (dense.get(ValueLayout.JAVA_BYTE, at + i) != 0) {
        return false;
      }
    }
    return true;
  }
}
