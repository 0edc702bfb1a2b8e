package dev.smelt.formats.codec;

import java.util.Arrays;

/**
 * A floating-point type of at most 8 bits, as a table.
 *
 * <p>Sources: E4M3 and E5M2 from Micikevicius et al., "FP8 Formats for Deep Learning", arXiv
 * 2209.05433 (E4M3 has no infinity and one NaN per sign); E8M0, E3M2, E2M3 and E2M1 from the OCP
 * Microscaling Formats specification 1.0 (no infinities; only E8M0 has a NaN).
 */
final class MiniFloat {

  static final MiniFloat E4M3 = new MiniFloat(8, 4, 3, 7, Special.NAN_AT_TOP);
  static final MiniFloat E5M2 = new MiniFloat(8, 5, 2, 15, Special.IEEE);
  static final MiniFloat E8M0 = new MiniFloat(8, 8, 0, 127, Special.UNSIGNED_SCALE);
  static final MiniFloat E2M3 = new MiniFloat(6, 2, 3, 1, Special.NONE);
  static final MiniFloat E3M2 = new MiniFloat(6, 3, 2, 3, Special.NONE);
  static final MiniFloat E2M1 = new MiniFloat(4, 2, 1, 1, Special.NONE);

  private enum Special {
    IEEE,
    NAN_AT_TOP,
    NONE,
    UNSIGNED_SCALE
  }

  private final int bits;
  private final Special special;
  private final float[] values;

  /** Codes 0 to this are the finite values from the smallest up. */
  private final int largestCode;

  /** From the largest value to the one that would follow if the exponent had no end. */
  private final double topStep;

  private MiniFloat(int bits, int exponentBits, int mantissaBits, int bias, Special special) {
    this.bits = bits;
    this.special = special;
    this.values = new float[1 << bits];
    int signBit = 1 << (bits - 1);
    int largest = 0;
    for (int code = 0; code < values.length; code++) {
      if (special == Special.UNSIGNED_SCALE) {
        values[code] = code == 255 ? Float.NaN : (float) Math.scalb(1.0, code - bias);
      } else {
        float magnitude =
            magnitude(code & (signBit - 1), exponentBits, mantissaBits, bias, special);
        values[code] = (code & signBit) == 0 ? magnitude : -magnitude;
      }
      boolean positive = special == Special.UNSIGNED_SCALE || code < signBit;
      if (positive && Float.isFinite(values[code])) {
        largest = code;
      }
    }
    this.largestCode = largest;
    this.topStep = Math.scalb(1.0, Math.getExponent(values[largest]) - mantissaBits);
  }

  int bits() {
    return bits;
  }

  float decode(int code) {
    return values[code];
  }

  /** The nearest code, ties to the even one, or -1 when the type has no such number. */
  int encode(double value) {
    boolean scale = special == Special.UNSIGNED_SCALE;
    if (Double.isNaN(value)) {
      return switch (special) {
        case IEEE, NAN_AT_TOP -> 0x7F;
        case UNSIGNED_SCALE -> 0xFF;
        case NONE -> -1;
      };
    }
    boolean negative = Double.doubleToRawLongBits(value) < 0;
    int sign = negative && !scale ? 1 << (bits - 1) : 0;
    double magnitude = Math.abs(value);
    if (Double.isInfinite(value)) {
      return special == Special.IEEE ? sign | 0x7C : -1;
    }
    if (scale && (negative || value == 0)) {
      return -1;
    }
    int code = nearest(magnitude);
    return code < 0 ? -1 : sign | code;
  }

  private int nearest(double magnitude) {
    int found = Arrays.binarySearch(values, 0, largestCode + 1, (float) magnitude);
    if (found >= 0 && values[found] == magnitude) {
      return found;
    }
    int above = upperNeighbour(magnitude);
    if (above == 0) {
      return 0;
    }
    int below = above - 1;
    double step = above > largestCode ? topStep : (double) values[above] - values[below];
    double excess = magnitude - values[below];
    if (excess * 2 == step) {
      return withinRange((below & 1) == 0 ? below : above);
    }
    return withinRange(excess * 2 < step ? below : above);
  }

  private int withinRange(int code) {
    return code > largestCode ? -1 : code;
  }

  /** The lowest code whose value exceeds {@code magnitude}; one past the largest when none does. */
  private int upperNeighbour(double magnitude) {
    int low = 0;
    int high = largestCode + 1;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (values[middle] > magnitude) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  private static float magnitude(
      int code, int exponentBits, int mantissaBits, int bias, Special special) {
    int exponent = code >>> mantissaBits;
    int mantissa = code & ((1 << mantissaBits) - 1);
    int topExponent = (1 << exponentBits) - 1;
    if (exponent == topExponent && special == Special.IEEE) {
      return mantissa == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
    }
    boolean topMantissa = mantissa == (1 << mantissaBits) - 1;
    if (exponent == topExponent && topMantissa && special == Special.NAN_AT_TOP) {
      return Float.NaN;
    }
    double fraction = Math.scalb((double) mantissa, -mantissaBits);
    return exponent == 0
        ? (float) Math.scalb(fraction, 1 - bias)
        : (float) Math.scalb(1 + fraction, exponent - bias);
  }
}
