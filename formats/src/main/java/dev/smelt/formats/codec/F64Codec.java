package dev.smelt.formats.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Optional;

/** IEEE 754 binary64. */
final class F64Codec implements FloatCodec {

  private static final ValueLayout.OfDouble BITS =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  @Override
  public void decode(MemorySegment source, long first, int count, double[] target) {
    long base = first * 8;
    for (int i = 0; i < count; i++) {
      target[i] = source.get(BITS, base + (long) i * 8);
    }
  }

  @Override
  public void decode(MemorySegment source, long first, int count, float[] target) {
    long base = first * 8;
    for (int i = 0; i < count; i++) {
      target[i] = (float) source.get(BITS, base + (long) i * 8);
    }
  }

  @Override
  public int encode(double[] values, int count, MemorySegment target, long first) {
    long base = first * 8;
    for (int i = 0; i < count; i++) {
      target.set(BITS, base + (long) i * 8, values[i]);
    }
    return -1;
  }

  @Override
  public int encode(float[] values, int count, MemorySegment target, long first) {
    long base = first * 8;
    for (int i = 0; i < count; i++) {
      target.set(BITS, base + (long) i * 8, values[i]);
    }
    return -1;
  }

  /** Checked at full width: a large f64 is finite although it is an infinity in f32. */
  @Override
  public Optional<Long> firstNonFinite(MemorySegment source, long count) {
    for (long i = 0; i < count; i++) {
      if (!Double.isFinite(source.get(BITS, i * 8))) {
        return Optional.of(i);
      }
    }
    return Optional.empty();
  }
}
