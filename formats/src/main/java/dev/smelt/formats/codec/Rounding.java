package dev.smelt.formats.codec;

/** Narrowing that rounds once. */
final class Rounding {

  private Rounding() {}

  /**
   * Rounds to f32 by round-to-odd: an inexact result gets an odd last bit. Rounding the result to
   * nearest even in any type with at most 22 significant bits then gives what rounding {@code
   * value} directly would have given (Boldo and Melquiond, "Emulation of FMA and correctly rounded
   * sums", IEEE Trans. Computers 57(4), 2008).
   */
  static float toOdd(double value) {
    float nearest = (float) value;
    if (nearest == value || Double.isNaN(value)) {
      return nearest;
    }
    int bits = Float.floatToRawIntBits(nearest);
    if ((bits & 1) == 1) {
      return nearest;
    }
    // The odd neighbour on the other side of the value; magnitudes order like their bits.
    return Float.intBitsToFloat(Math.abs((double) nearest) > Math.abs(value) ? bits - 1 : bits + 1);
  }
}
