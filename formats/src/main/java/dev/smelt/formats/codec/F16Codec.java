package dev.smelt.formats.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** IEEE 754 binary16: 5 bits of exponent, 10 of mantissa. */
final class F16Codec implements FloatCodec {

  private static final ValueLayout.OfShort BITS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int INFINITY = 0x7C00;

  @Override
  public void decode(MemorySegment source, long first, int count, double[] target) {
    long base = first * 2;
    for (int i = 0; i < count; i++) {
      target[i] = Float.float16ToFloat(source.get(BITS, base + (long) i * 2));
    }
  }

  @Override
  public void decode(MemorySegment source, long first, int count, float[] target) {
    long base = first * 2;
    for (int i = 0; i < count; i++) {
      target[i] = Float.float16ToFloat(source.get(BITS, base + (long) i * 2));
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
      short bits = Float.floatToFloat16(values[i]);
      target.set(BITS, base + (long) i * 2, bits);
      if ((bits & 0x7FFF) == INFINITY && Float.isFinite(values[i]) && bad < 0) {
        bad = i;
      }
    }
    return bad;
  }

  private static final class Block extends Halving {

    /** 65520, half-way from the largest number of the type to the next power of two. */
    private static final int LIMIT = 0x477F_F000;

    @Override
    int limit() {
      return LIMIT;
    }

    @Override
    void round(float[] near, int[] bits, int count, short[] rounded) {
      for (int i = 0; i < count; i++) {
        rounded[i] = Float.floatToFloat16(near[i]);
      }
    }

    @Override
    short round(double value) {
      return Float.floatToFloat16(Rounding.toOdd(value));
    }

    @Override
    boolean isInfinite(short rounded) {
      return (rounded & 0x7FFF) == INFINITY;
    }
  }
}
