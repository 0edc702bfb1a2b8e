package dev.smelt.merge;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.DType;
import dev.smelt.formats.TensorView;
import java.lang.foreign.ValueLayout;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Weighted means in decimal arithmetic, and which stored value is nearest to them. */
final class ExactMean {

  static final MathContext DIGITS = new MathContext(60);

  private ExactMean() {}

  /** Σ wᵢθᵢ / Σ wᵢ. */
  static BigDecimal of(BigDecimal[] weights, double[] theta) {
    BigDecimal sum = BigDecimal.ZERO;
    BigDecimal total = BigDecimal.ZERO;
    for (int i = 0; i < theta.length; i++) {
      sum = sum.add(weights[i].multiply(new BigDecimal(theta[i])));
      total = total.add(weights[i]);
    }
    return sum.divide(total, DIGITS);
  }

  /** ‖F‖₂ of several tensors together. */
  static BigDecimal norm(double[]... tensors) {
    BigDecimal sum = BigDecimal.ZERO;
    for (double[] tensor : tensors) {
      for (double value : tensor) {
        sum = sum.add(new BigDecimal(value).pow(2));
      }
    }
    return sum.sqrt(DIGITS);
  }

  /** Element {@code index} is the value of its type that is nearest to {@code exact}, or even. */
  static void assertNearest(TensorView tensor, int index, BigDecimal exact) {
    DType dtype = tensor.dtype();
    byte[] bytes = tensor.segment().toArray(ValueLayout.JAVA_BYTE);
    long bits = bits(bytes, index, dtype.bits());
    BigDecimal distance = distance(dtype, bits, exact);
    long sign = 1L << (dtype.bits() - 1);
    long magnitude = bits & (sign - 1);
    long[] neighbours = magnitude == 0 ? new long[] {1, sign | 1} : new long[] {bits - 1, bits + 1};
    for (long neighbour : neighbours) {
      double other = decode(dtype, neighbour);
      if (Double.isFinite(other)) {
        int order = distance.compareTo(distance(dtype, neighbour, exact));
        assertThat(order < 0 || (order == 0 && (bits & 1) == 0))
            .as(
                "%s[%d] = %s, but %s is as near to %s",
                tensor.name(), index, decode(dtype, bits), other, exact)
            .isTrue();
      }
    }
  }

  private static BigDecimal distance(DType dtype, long bits, BigDecimal exact) {
    return new BigDecimal(decode(dtype, bits)).subtract(exact).abs();
  }

  private static long bits(byte[] bytes, int index, int width) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    return switch (width) {
      case 8 -> buffer.get(index) & 0xFFL;
      case 16 -> buffer.getShort(2 * index) & 0xFFFFL;
      case 32 -> buffer.getInt(4 * index) & 0xFFFFFFFFL;
      case 64 -> buffer.getLong(8 * index);
      default -> throw new IllegalArgumentException("width " + width);
    };
  }

  private static double decode(DType dtype, long bits) {
    return switch (dtype) {
      case F64 -> Double.longBitsToDouble(bits);
      case F32 -> Float.intBitsToFloat((int) bits);
      case F16 -> Float.float16ToFloat((short) bits);
      case BF16 -> Float.intBitsToFloat((int) bits << 16);
      case F8_E5M2 -> Float.float16ToFloat((short) (bits << 8));
      case F8_E4M3 -> e4m3((int) bits);
      default -> throw new IllegalArgumentException("no decoder for " + dtype);
    };
  }

  /**
   * S.EEEE.MMM, bias 7, no infinities, one NaN per sign (Micikevicius et al., arXiv 2209.05433).
   */
  private static double e4m3(int bits) {
    int exponent = bits >> 3 & 0xF;
    int mantissa = bits & 7;
    if (exponent == 0xF && mantissa == 7) {
      return Double.NaN;
    }
    double magnitude =
        exponent == 0
            ? Math.scalb((double) mantissa, -9)
            : Math.scalb(8.0 + mantissa, exponent - 10);
    return (bits & 0x80) == 0 ? magnitude : -magnitude;
  }
}
