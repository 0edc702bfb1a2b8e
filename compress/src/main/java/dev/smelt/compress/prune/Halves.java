package dev.smelt.compress.prune;

import dev.smelt.formats.DType;
import dev.smelt.formats.TensorView;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Elements of two bytes as they are stored. */
final class Halves {

  private static final ValueLayout.OfShort ELEMENT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** All bits but the sign. */
  static final int MAGNITUDE = 0x7fff;

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
    MemorySegment.copy(tensor.segment(), ELEMENT, first * Short.BYTES, target, 0, count);
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
        target[whole] |= (tensor.segment().get(ELEMENT, at) & 0xffffL) << (i * Short.SIZE);
      }
    }
  }

  static void write(long[] words, int count, MemorySegment target) {
    MemorySegment.copy(words, 0, target, WORD, 0, Math.ceilDiv(count, IN_WORD));
  }

  /** The same element four times. */
  static long repeat(int bits) {
    return (bits & 0xffffL) * 0x0001_0001_0001_0001L;
  }

  static double square(DType type, int magnitude) {
    double value = value(type == DType.BF16, (short) magnitude);
    return value * value;
  }

  private static float value(boolean bf16, short bits) {
    return bf16 ? Float.intBitsToFloat(bits << BF16_SHIFT) : Float.float16ToFloat(bits);
  }
}
