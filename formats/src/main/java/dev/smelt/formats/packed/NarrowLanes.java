package dev.smelt.formats.packed;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Elements of 4 or 6 bits, 8 at a time: they fill as many bytes as an element has bits, the first
 * one lowest. As in {@link Lanes}, of which this is the slow sister; values are a stream of bits.
 */
final class NarrowLanes implements Kernel {

  private final int width;
  private final long high;

  /** Bits that do not fill a byte yet. */
  private long rest;

  private int restBits;

  /**
   * @param width bits of an element, at most 7
   */
  NarrowLanes(int width) {
    this.width = width;
    long lanes = 0;
    for (int i = 1; i <= Byte.SIZE; i++) {
      lanes |= 1L << (i * width - 1);
    }
    this.high = lanes;
  }

  private long nonZero(long eight) {
    return (((eight & ~high) + ~high) | eight) & high;
  }

  private long lanes(long present) {
    return (present << 1) - (present >>> (width - 1));
  }

  @Override
  public long count(MemorySegment dense) {
    long count = 0;
    for (long at = 0; at < dense.byteSize(); at += width) {
      count += Long.bitCount(nonZero(read(dense, at)));
    }
    return count;
  }

  @Override
  public int pack(MemorySegment dense, byte[] bits, byte[] values) {
    int to = 0;
    for (int at = 0; at < dense.byteSize(); at += width) {
      long eight = read(dense, at);
      long present = nonZero(eight);
      bits[at / width] = (byte) Long.compress(present, high);
      rest |= Long.compress(eight, lanes(present)) << restBits;
      restBits += Long.bitCount(present) * width;
      for (; restBits >= Byte.SIZE; restBits -= Byte.SIZE) {
        values[to++] = (byte) rest;
        rest >>>= Byte.SIZE;
      }
    }
    return to;
  }

  @Override
  public void finish(byte[] values) {
    if (restBits > 0) {
      values[0] = (byte) rest;
      rest = 0;
      restBits = 0;
    }
  }

  @Override
  public void unpack(MemorySegment bits, MemorySegment values, MemorySegment dense) {
    long stream = 0;
    int ready = 0;
    long from = 0;
    for (long at = 0; at < dense.byteSize(); at += width) {
      long mask = bits.get(ValueLayout.JAVA_BYTE, at / width) & 0xFF;
      long present = Long.expand(mask, high);
      int wanted = Long.bitCount(present) * width;
      for (; ready < wanted; ready += Byte.SIZE) {
        stream |= (values.get(ValueLayout.JAVA_BYTE, from++) & 0xFFL) << ready;
      }
      write(dense, at, Long.expand(stream, lanes(present)));
      stream >>>= wanted;
      ready -= wanted;
    }
  }

  /** The bytes of 8 elements, or those that there are. */
  private long read(MemorySegment dense, long at) {
    long eight = 0;
    int count = (int) Math.min(width, dense.byteSize() - at);
    for (int i = 0; i < count; i++) {
      eight |= (dense.get(ValueLayout.JAVA_BYTE, at + i) & 0xFFL) << (i * Byte.SIZE);
    }
    return eight;
  }

  private void write(MemorySegment dense, long at, long eight) {
    int count = (int) Math.min(width, dense.byteSize() - at);
    for (int i = 0; i < count; i++) {
      dense.set(ValueLayout.JAVA_BYTE, at + i, (byte) (eight >>> (i * Byte.SIZE)));
    }
  }
}
