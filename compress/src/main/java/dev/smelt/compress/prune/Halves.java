package dev.smelt.compress.prune;

import dev.smelt.formats.DType;
import dev.smelt.formats.TensorView;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Elements of two bytes as they are stored. */
final class Halves {

  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** All bits but the sign. */
  static final int MAGNITUDE = 0x7fff;

  static final int SIGN = 0x8000;

  /** Of all elements of a word. */
  static final long MAGNITUDES = repeat(MAGNITUDE);

  /** Of all elements of a word. */
  static final long SIGNS = repeat(SIGN);

  /** All bits of one. */
  static final long ELEMENT = 0xffff;

  private static final int INFINITY_BF16 = 0x7f80;
  private static final int INFINITY_F16 = 0x7c00;

  /** Bits of a bf16 begin those of an f32. */
  private static final int BF16_SHIFT = 16;

  /** Elements of a word. */
  static final int IN_WORD = Long.BYTES / Short.BYTES;

  private Halves() {}

  static boolean are(TensorView tensor) {
    return tensor.dtype() == DType.BF16 || tensor.dtype() == DType.F16;
  }

  /** The least magnitude that is no finite number. */
  static int infinity(DType type) {
    return type == DType.BF16 ? INFINITY_BF16 : INFINITY_F16;
  }

  static void read(TensorView tensor, long first, int count, short[] target) {
    MemorySegment.copy(tensor.segment(), SHORT, first * Short.BYTES, target, 0, count);
  }

  /**
   * Four to a word, the first in the lowest bits; elements of the last word that are not there are
   * 0.
   */
  static void read(TensorView tensor, long first, int count, long[] target) {
    int whole = count / IN_WORD;
    MemorySegment.copy(tensor.segment(), WORD, first * Short.BYTES, target, 0, whole);
    if (count % IN_WORD != 0) {
      target[whole] = 0;
      for (int i = 0; i < count % IN_WORD; i++) {
        long at = (first + (long) whole * IN_WORD + i) * Short.BYTES;
        target[whole] |= (tensor.segment().get(SHORT, at) & ELEMENT) << (i * Short.SIZE);
      }
    }
  }

  static void write(long[] words, int count, MemorySegment target) {
    MemorySegment.copy(words, 0, target, WORD, 0, Math.ceilDiv(count, IN_WORD));
  }

  /** The same element four times. */
  static long repeat(int bits) {
    return (bits & ELEMENT) * 0x0001_0001_0001_0001L;
  }

  static int magnitude(TensorView tensor, long index) {
    return tensor.segment().get(SHORT, index * Short.BYTES) & MAGNITUDE;
  }

  /** How many weights have a magnitude. */
  @FunctionalInterface
  interface Counts {
    long of(int magnitude);
  }

  /**
   * What becomes of a tensor some of whose weights go.
   *
   * @param gone of {@code all}
   */
  static Change change(DType type, Counts all, Counts gone) {
    double squares = 0;
    double changed = 0;
    long zeros = all.of(0);
    for (int magnitude = 1; magnitude <= MAGNITUDE; magnitude++) {
      long count = all.of(magnitude);
      if (count > 0) {
        double value = value(type, (short) magnitude);
        squares += value * value * count;
        changed += value * value * gone.of(magnitude);
        zeros += gone.of(magnitude);
      }
    }
    return new Change(squares, changed, zeros);
  }

  private static float value(DType type, short bits) {
    return type == DType.BF16
        ? Float.intBitsToFloat(bits << BF16_SHIFT)
        : Float.float16ToFloat(bits);
  }
}
