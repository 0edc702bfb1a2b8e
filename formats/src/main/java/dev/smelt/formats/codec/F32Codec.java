package dev.smelt.formats.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** IEEE 754 binary32. */
final class F32Codec implements FloatCodec {

  private static final ValueLayout.OfFloat BITS =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  @Override
  public void decode(MemorySegment source, long first, int count, double[] target) {
    long base = first * 4;
    for (int i = 0; i < count; i++) {
      target[i] = source.get(BITS, base + (long) i * 4);
    }
  }

  @Override
  public void decode(MemorySegment source, long first, int count, float[] target) {
    long base = first * 4;
    for (int i = 0; i < count; i++) {
      target[i] = source.get(BITS, base + (long) i * 4);
    }
  }

  @Override
  public int encode(double[] values, int count, MemorySegment target, long first) {
    long base = first * 4;
    int bad = -1;
    for (int i = 0; i < count; i++) {
      float bits = (float) values[i];
      target.set(BITS, base + (long) i * 4, bits);
      if (Float.isInfinite(bits) && Double.isFinite(values[i]) && bad < 0) {
        bad = i;
      }
    }
    return bad;
  }

  @Override
  public int encode(float[] values, int count, MemorySegment target, long first) {
    long base = first * 4;
    for (int i = 0; i < count; i++) {
      target.set(BITS, base + (long) i * 4, values[i]);
    }
    return -1;
  }
}
