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

  /** All bits but the sign. */
  static final int MAGNITUDE = 0x7fff;

  private static final int INFINITY_BF16 = 0x7f80;
  private static final int INFINITY_F16 = 0x7c00;

  /** Bits of a bf16 begin those of an f32. */
  private static final int BF16_SHIFT = 16;

  /** Sums that run beside each other, so that none waits for its last addition. */
  private static final int LANES = 4;

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

  static void write(short[] bits, int count, MemorySegment target) {
    MemorySegment.copy(bits, 0, target, ELEMENT, 0, count);
  }

  static int zeros(short[] bits, int count) {
    int zeros = 0;
    for (int i = 0; i < count; i++) {
      zeros += (bits[i] & MAGNITUDE) == 0 ? 1 : 0;
    }
    return zeros;
  }

  /** Between values of which some have become zero. */
  static Change change(DType type, short[] before, short[] after, int count) {
    short[] gone = new short[count];
    for (int i = 0; i < count; i++) {
      gone[i] = (short) (before[i] ^ after[i]);
    }
    boolean wide = type == DType.BF16;
    return new Change(
        squares(wide, before, count), squares(wide, gone, count), zeros(after, count));
  }

  private static double squares(boolean bf16, short[] bits, int count) {
    double[] sums = new double[LANES];
    int whole = count - count % LANES;
    for (int i = 0; i < whole; i += LANES) {
      for (int lane = 0; lane < LANES; lane++) {
        double value = value(bf16, bits[i + lane]);
        sums[lane] += value * value;
      }
    }
    for (int i = whole; i < count; i++) {
      double value = value(bf16, bits[i]);
      sums[i - whole] += value * value;
    }
    return sums[0] + sums[1] + (sums[2] + sums[3]);
  }

  private static float value(boolean bf16, short bits) {
    return bf16 ? Float.intBitsToFloat(bits << BF16_SHIFT) : Float.float16ToFloat(bits);
  }
}
