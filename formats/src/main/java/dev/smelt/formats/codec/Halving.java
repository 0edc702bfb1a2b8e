package dev.smelt.formats.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Rounds f64 values to a two-byte type, a block at a time, in loops that the compiler turns into
 * vector instructions: to f32 by {@linkplain Rounding#toOdd rounding to odd} in the bits of the
 * numbers, and from there to nearest. Blocks with values at the ends of the range are done one by
 * one. For one thread.
 */
abstract class Halving {

  private static final ValueLayout.OfShort BITS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int BLOCK = 512;
  private static final int MAGNITUDE = 0x7FFF_FFFF;

  /** The last bit of an f64 that f32 has as well. */
  private static final long LAST = 1L << 29;

  /** Of f32, as the bits of an f64. */
  private static final long LEAST_NORMAL = Double.doubleToRawLongBits(Float.MIN_NORMAL);

  private final double[] odd = new double[BLOCK];
  private final MemorySegment oddBits = MemorySegment.ofArray(odd);
  private final long[] wide = new long[BLOCK];
  private final float[] near = new float[BLOCK];
  private final MemorySegment nearBits = MemorySegment.ofArray(near);
  private final int[] bits = new int[BLOCK];
  private final short[] rounded = new short[BLOCK];

  /** Bits of the smallest f32 that is not rounded to a finite number. */
  abstract int limit();

  /**
   * Rounds each f32 to nearest, ties to even.
   *
   * @param bits those of {@code near}
   */
  abstract void round(float[] near, int[] bits, int count, short[] rounded);

  /** Rounds any value, once. */
  abstract short round(double value);

  /** True of what no finite value may become. */
  abstract boolean isInfinite(short rounded);

  /** As {@link FloatCodec#encode(double[], int, MemorySegment, long)}. */
  final int encode(double[] values, int count, MemorySegment target, long first) {
    int bad = -1;
    for (int at = 0; at < count && bad < 0; at += BLOCK) {
      int length = Math.min(BLOCK, count - at);
      bad = block(values, at, length);
      MemorySegment.copy(rounded, 0, target, BITS, (first + at) * Short.BYTES, length);
    }
    return bad;
  }

  private int block(double[] values, int at, int count) {
    MemorySegment.copy(
        MemorySegment.ofArray(values),
        ValueLayout.JAVA_LONG,
        (long) at * Double.BYTES,
        wide,
        0,
        count);
    if (anyTiny(wide, count)) {
      return oneByOne(values, at, count);
    }
    toOdd(wide, count);
    MemorySegment.copy(wide, 0, oddBits, ValueLayout.JAVA_LONG, 0, count);
    for (int i = 0; i < count; i++) {
      near[i] = (float) odd[i];
    }
    MemorySegment.copy(nearBits, ValueLayout.JAVA_INT, 0, bits, 0, count);
    int largest = 0;
    for (int i = 0; i < count; i++) {
      largest = Math.max(largest, bits[i] & MAGNITUDE);
    }
    if (largest >= limit()) {
      return oneByOne(values, at, count);
    }
    round(near, bits, count, rounded);
    return -1;
  }

  /** Whether any is nearer to zero than f32 has all digits, and not zero. */
  private static boolean anyTiny(long[] bits, int count) {
    long tiny = 0;
    for (int i = 0; i < count; i++) {
      long magnitude = bits[i] & Long.MAX_VALUE;
      tiny |= (magnitude - LEAST_NORMAL) & -magnitude;
    }
    return tiny < 0;
  }

  /** Cuts off what f32 does not have; where that was anything, the last bit left is set. */
  private static void toOdd(long[] bits, int count) {
    for (int i = 0; i < count; i++) {
      long rest = bits[i] & (LAST - 1);
      bits[i] = (bits[i] - rest) | ((rest + (LAST - 1)) & LAST);
    }
  }

  private int oneByOne(double[] values, int at, int count) {
    int bad = -1;
    for (int i = 0; i < count; i++) {
      rounded[i] = round(values[at + i]);
      if (isInfinite(rounded[i]) && Double.isFinite(values[at + i]) && bad < 0) {
        bad = at + i;
      }
    }
    return bad;
  }
}
