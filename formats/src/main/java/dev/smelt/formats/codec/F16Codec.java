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
    long base = first * 2;
    int bad = -1;
    for (int i = 0; i < count; i++) {
      short bits = Float.floatToFloat16(Rounding.toOdd(values[i]));
      target.set(BITS, base + (long) i * 2, bits);
      if ((bits & 0x7FFF) == INFINITY && Double.isFinite(values[i]) && bad < 0) {
        bad = i;
      }
    }
    return bad;
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
}
