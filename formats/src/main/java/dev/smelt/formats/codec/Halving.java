package dev.smelt.formats.codec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Rounds f64 values to a two-byte type by way of f32, a block at a time, in loops that the compiler
 * turns into vector instructions.
 *
 * <p>Rounding twice differs from rounding once only where f32 has just the number half-way between
 * two of the narrow type. Blocks with such elements are looked through, and those with values at
 * the ends of the range are left to the exact way, one by one. For one thread.
 */
abstract class Halving {

  private static final ValueLayout.OfShort BITS =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final int BLOCK = 512;
  private static final int MAGNITUDE = 0x7FFF_FFFF;

  private final float[] near = new float[BLOCK];
  private final MemorySegment nearBits = MemorySegment.ofArray(near);
  private final int[] bits = new int[BLOCK];
  private final short[] rounded = new short[BLOCK];

  /** Bits of the smallest f32 that is not rounded to a finite number. */
  abstract int limit();

  /** Rounds each f32, to nearest, ties to even. */
  abstract void round(float[] near, int[] bits, int count, short[] rounded);

  // Loops over a block are the types' own: a call for each element would not be vectorised.

  /** Whether rounding any of them twice may differ from rounding it once. */
  abstract boolean anyDoubt(int[] bits, int count);

  abstract boolean isDoubtful(int bits);

  /** Rounds one value in any case, once. */
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
    for (int i = 0; i < count; i++) {
      near[i] = (float) values[at + i];
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
    if (anyDoubt(bits, count)) {
      for (int i = 0; i < count; i++) {
        if (near[i] != values[at + i] && isDoubtful(bits[i])) {
          rounded[i] = round(values[at + i]);
        }
      }
    }
    return -1;
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
