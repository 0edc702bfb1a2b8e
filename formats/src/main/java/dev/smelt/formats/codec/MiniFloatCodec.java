package dev.smelt.formats.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Types of at most 8 bits. Narrower than a byte, element i starts at bit i·b of the tensor, least
 * significant bit first, so that two F4 values share a byte with the first in its low half.
 */
final class MiniFloatCodec implements FloatCodec {

  private final MiniFloat type;
  private final int bits;

  MiniFloatCodec(MiniFloat type) {
    this.type = type;
    this.bits = type.bits();
  }

  @Override
  public void decode(MemorySegment source, long first, int count, double[] target) {
    for (int i = 0; i < count; i++) {
      target[i] = type.decode(code(source, first + i));
    }
  }

  @Override
  public void decode(MemorySegment source, long first, int count, float[] target) {
    for (int i = 0; i < count; i++) {
      target[i] = type.decode(code(source, first + i));
    }
  }

  @Override
  public int encode(double[] values, int count, MemorySegment target, long first) {
    for (int i = 0; i < count; i++) {
      int code = type.encode(values[i]);
      if (code < 0) {
        return i;
      }
      store(target, first + i, code);
    }
    return -1;
  }

  @Override
  public int encode(float[] values, int count, MemorySegment target, long first) {
    for (int i = 0; i < count; i++) {
      int code = type.encode(values[i]);
      if (code < 0) {
        return i;
      }
      store(target, first + i, code);
    }
    return -1;
  }

  private int code(MemorySegment source, long index) {
    long bit = index * bits;
    return (window(source, bit / 8) >>> (bit % 8)) & ((1 << bits) - 1);
  }

  private void store(MemorySegment target, long index, int code) {
    long bit = index * bits;
    long at = bit / 8;
    int shift = (int) (bit % 8);
    int mask = ((1 << bits) - 1) << shift;
    int merged = (window(target, at) & ~mask) | (code << shift);
    target.set(ValueLayout.JAVA_BYTE, at, (byte) merged);
    if (mask > 0xFF) {
      target.set(ValueLayout.JAVA_BYTE, at + 1, (byte) (merged >>> 8));
    }
  }

  /** Two bytes from {@code at} as one number; beyond the end there are zeros. */
  private static int window(MemorySegment bytes, long at) {
    int low = Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, at));
    boolean last = at + 1 == bytes.byteSize();
    return last ? low : low | Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, at + 1)) << 8;
  }
}
