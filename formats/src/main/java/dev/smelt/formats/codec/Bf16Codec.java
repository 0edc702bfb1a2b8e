package dev.smelt.formats.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** bfloat16: the upper half of a binary32. */
final class Bf16Codec implements FloatCodec {

  private static final ValueLayout.OfShort BITS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int INFINITY = 0x7F80;
  private static final int QUIET_BIT = 0x40;

  @Override
  public void decode(MemorySegment source, long first, int count, double[] target) {
    long base = first * 2;
    for (int i = 0; i < count; i++) {
      target[i] = Float.intBitsToFloat(source.get(BITS, base + (long) i * 2) << 16);
    }
  }

  @Override
  public void decode(MemorySegment source, long first, int count, float[] target) {
    long base = first * 2;
    for (int i = 0; i < count; i++) {
      target[i] = Float.intBitsToFloat(source.get(BITS, base + (long) i * 2) << 16);
    }
  }

  @Override
  public int encode(double[] values, int count, MemorySegment target, long first) {
    return new Block().encode(values, count, target, first);
  }

  @Override
  public int encode(float[] values, int count, MemorySegment target, long first) {
    long base = first * 2;
    int bad = -1;
    for (int i = 0; i < count; i++) {
      short bits = round(values[i]);
      target.set(BITS, base + (long) i * 2, bits);
      if ((bits & 0x7FFF) == INFINITY && Float.isFinite(values[i]) && bad < 0) {
        bad = i;
      }
    }
    return bad;
  }

  /**
   * Nearest even: adding 0x7FFF plus the last kept bit carries into the kept half exactly when the
   * dropped half is above one half, or at one half with an odd last bit.
   */
  private static short round(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | QUIET_BIT);
    }
    return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
  }

  private static final class Block extends Halving {

    /** Half-way from the largest number of the type to the next power of two. */
    private static final int LIMIT = 0x7F7F_8000;

    @Override
    int limit() {
      return LIMIT;
    }

    @Override
    void round(float[] near, int[] bits, int count, short[] rounded) {
      for (int i = 0; i < count; i++) {
        rounded[i] = (short) ((bits[i] + 0x7FFF + ((bits[i] >>> 16) & 1)) >>> 16);
      }
    }

    @Override
    short round(double value) {
      return Bf16Codec.round(Rounding.toOdd(value));
    }

    @Override
    boolean isInfinite(short rounded) {
      return (rounded & 0x7FFF) == INFINITY;
    }
  }
}
