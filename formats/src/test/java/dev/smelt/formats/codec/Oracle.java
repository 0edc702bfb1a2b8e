package dev.smelt.formats.codec;

import dev.smelt.formats.DType;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What the bits of the types of at most 16 bits mean, from the formula of their definitions, and
 * which code is nearest to a number, by looking at all of them. Exact and slow.
 *
 * @param bits of a code
 * @param exponentBits e
 * @param mantissaBits m
 * @param bias b: a normal number is (−1)^s · 2^(E − b) · (1 + M/2^m), a subnormal one (−1)^s · 2^(1
 *     − b) · M/2^m
 * @param signed false of scales, which have no sign, no zero and no subnormals
 * @param infinities true where the top exponent with M = 0 is an infinity
 */
record Oracle(
    DType dtype,
    int bits,
    int exponentBits,
    int mantissaBits,
    int bias,
    boolean signed,
    boolean infinities) {

  static final List<Oracle> ALL =
      List.of(
          new Oracle(DType.F16, 16, 5, 10, 15, true, true),
          new Oracle(DType.BF16, 16, 8, 7, 127, true, true),
          new Oracle(DType.F8_E5M2, 8, 5, 2, 15, true, true),
          new Oracle(DType.F8_E4M3, 8, 4, 3, 7, true, false),
          new Oracle(DType.F8_E8M0, 8, 8, 0, 127, false, false),
          new Oracle(DType.F6_E2M3, 6, 2, 3, 1, true, false),
          new Oracle(DType.F6_E3M2, 6, 3, 2, 3, true, false),
          new Oracle(DType.F4, 4, 2, 1, 1, true, false));

  /** A finite number of the type. */
  record Finite(int code, BigDecimal value) {}

  int codes() {
    return 1 << bits;
  }

  boolean hasNaN() {
    return infinities || dtype == DType.F8_E4M3 || dtype == DType.F8_E8M0;
  }

  /** The number that a code stands for; NaN and infinities where the type says so. */
  double value(int code) {
    int mantissa = code & ((1 << mantissaBits) - 1);
    int exponent = (code >>> mantissaBits) & ((1 << exponentBits) - 1);
    boolean top = exponent == (1 << exponentBits) - 1;
    if (!signed) {
      return top ? Double.NaN : Math.pow(2, exponent - bias);
    }
    double sign = code >>> (bits - 1) == 0 ? 1 : -1;
    if (top && infinities) {
      return mantissa == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
    }
    if (top && dtype == DType.F8_E4M3 && mantissa == (1 << mantissaBits) - 1) {
      return Double.NaN;
    }
    double fraction = mantissa / Math.pow(2, mantissaBits);
    return exponent == 0
        ? sign * Math.pow(2, 1 - bias) * fraction
        : sign * Math.pow(2, exponent - bias) * (1 + fraction);
  }

  /** The finite numbers from zero, or the smallest, upwards. */
  List<Finite> magnitudes() {
    List<Finite> numbers = new ArrayList<>();
    for (int code = 0; code < (signed ? codes() / 2 : codes()); code++) {
      double value = value(code);
      if (Double.isFinite(value)) {
        numbers.add(new Finite(code, new BigDecimal(value)));
      }
    }
    numbers.sort(Comparator.comparing(Finite::value));
    return numbers;
  }

  /** What follows the largest number if the exponent had no end: rounding to it is out of range. */
  BigDecimal beyond() {
    List<Finite> all = magnitudes();
    double largest = all.getLast().value().doubleValue();
    int exponent = Math.getExponent(largest);
    return new BigDecimal(largest).add(new BigDecimal(Math.pow(2, exponent - mantissaBits)));
  }

  /**
   * The code nearest to a finite number, on a tie the one whose last bit is zero; −1 when that is
   * beyond the largest.
   *
   * @param magnitudes of this type
   */
  int nearest(double value, List<Finite> magnitudes) {
    boolean negative = Double.doubleToRawLongBits(value) < 0;
    if (!signed && (negative || value == 0)) {
      return -1;
    }
    BigDecimal magnitude = new BigDecimal(Math.abs(value));
    Finite last = magnitudes.getLast();
    Finite best = new Finite(last.code() + 1, beyond());
    BigDecimal distance = best.value().subtract(magnitude).abs();
    if (magnitude.compareTo(best.value()) > 0) {
      return -1;
    }
    for (Finite number : magnitudes) {
      BigDecimal other = number.value().subtract(magnitude).abs();
      int order = other.compareTo(distance);
      if (order < 0 || (order == 0 && (number.code() & 1) == 0)) {
        best = number;
        distance = other;
      }
    }
    if (best.code() == last.code() + 1) {
      return -1;
    }
    return negative ? best.code() | 1 << (bits - 1) : best.code();
  }

  @Override
  public String toString() {
    return dtype.label();
  }
}
