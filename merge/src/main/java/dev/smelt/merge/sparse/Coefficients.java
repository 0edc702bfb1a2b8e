package dev.smelt.merge.sparse;

import dev.smelt.formats.DType;
import dev.smelt.formats.TensorView;
import dev.smelt.merge.method.Operand;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.DoubleStream;

/**
 * What changes are multiplied and divided by, all scaled alike so that they are whole numbers where
 * these are small enough. With those, sums of narrow types are exact in f64, and so is the sign of
 * such a sum: 0.1 + 0.2 − 0.3 is 0 in whatever order.
 *
 * @param change a, λwᵢ/pᵢ of each model
 * @param vote wᵢ/pᵢ of each model, times some positive number
 * @param weight wᵢ of each model
 * @param one 1
 */
@SuppressWarnings("ArrayRecordComponent") // Made once, never compared.
record Coefficients(double[] change, double[] vote, double[] weight, double one) {

  /** Up to here a double counts in ones. */
  private static final BigInteger WHOLE_LIMIT = BigInteger.ONE.shiftLeft(53);

  /**
   * Decimals further from the point make numbers that are not small whatever they are scaled by.
   */
  private static final int MAX_DECIMALS = 20;

  /** Of significands: of doubles, of floats, and at most of narrower types. */
  private static final int DOUBLE_BITS = 53;

  private static final int FLOAT_BITS = 24;
  private static final int HALF_BITS = 11;

  /**
   * @param shares p, by which the changes of each model are divided, not 0
   */
  static Coefficients of(List<Double> weights, List<Double> shares, double lambda) {
    List<Fraction> all = new ArrayList<>();
    boolean near = near(lambda) && weights.stream().allMatch(Coefficients::near);
    if (near && shares.stream().allMatch(Coefficients::near)) {
      for (int i = 0; i < weights.size(); i++) {
        Fraction scaled = Fraction.of(weights.get(i)).times(Fraction.of(lambda));
        all.add(scaled.over(Fraction.of(shares.get(i))));
      }
      weights.forEach(weight -> all.add(Fraction.of(weight)));
      all.add(Fraction.of(1));
      double[] whole = whole(all);
      if (whole.length > 0) {
        return split(whole, lambda);
      }
    }
    double[] plain = new double[2 * weights.size() + 1];
    for (int i = 0; i < weights.size(); i++) {
      plain[i] = lambda * weights.get(i) / shares.get(i);
      plain[weights.size() + i] = weights.get(i);
    }
    plain[2 * weights.size()] = 1;
    return split(plain, lambda);
  }

  /** Whether products of the coefficients, and of sums of them, with values of a type are exact. */
  boolean exactFor(List<Operand> models) {
    double total = one;
    for (int i = 0; i < change.length; i++) {
      total += Math.abs(change[i]) + Math.abs(weight[i]);
    }
    double room = Math.scalb(1.0, DOUBLE_BITS - bits(models));
    boolean whole =
        DoubleStream.concat(Arrays.stream(change), Arrays.stream(weight))
            .allMatch(value -> value == Math.rint(value));
    return whole && total <= room;
  }

  /** Of the significands that values may have. */
  private static int bits(List<Operand> models) {
    return models.stream().mapToInt(model -> bits(model.view())).max().orElse(0);
  }

  private static int bits(TensorView view) {
    if (!view.dtype().isFloat() || view.dtype() == DType.F64) {
      return DOUBLE_BITS;
    }
    return view.dtype().bits() == Float.SIZE ? FLOAT_BITS : HALF_BITS;
  }

  private static boolean near(double value) {
    return Math.abs(BigDecimal.valueOf(value).stripTrailingZeros().scale()) <= MAX_DECIMALS;
  }

  private static Coefficients split(double[] all, double lambda) {
    int models = all.length / 2;
    double[] change = Arrays.copyOf(all, models);
    double[] vote = Arrays.stream(change).map(of -> Math.signum(lambda) * of).toArray();
    double[] weight = Arrays.copyOfRange(all, models, 2 * models);
    return new Coefficients(change, vote, weight, all[2 * models]);
  }

  /** In the same proportion, or nothing where they are too large. */
  private static double[] whole(List<Fraction> fractions) {
    BigInteger multiple = BigInteger.ONE;
    for (Fraction fraction : fractions) {
      multiple = multiple.multiply(fraction.below()).divide(multiple.gcd(fraction.below()));
    }
    double[] whole = new double[fractions.size()];
    BigInteger total = BigInteger.ZERO;
    for (int i = 0; i < whole.length; i++) {
      Fraction fraction = fractions.get(i);
      BigInteger scaled = fraction.above().multiply(multiple.divide(fraction.below()));
      total = total.add(scaled.abs());
      whole[i] = scaled.doubleValue();
    }
    return total.compareTo(WHOLE_LIMIT) <= 0 ? whole : new double[0];
  }

  /** In lowest terms, its denominator positive. */
  private record Fraction(BigInteger above, BigInteger below) {

    static Fraction of(double value) {
      BigDecimal decimal = BigDecimal.valueOf(value).stripTrailingZeros();
      return decimal.scale() > 0
          ? reduced(decimal.unscaledValue(), BigInteger.TEN.pow(decimal.scale()))
          : new Fraction(decimal.toBigIntegerExact(), BigInteger.ONE);
    }

    private static Fraction reduced(BigInteger above, BigInteger below) {
      BigInteger divisor = above.gcd(below);
      BigInteger sign = BigInteger.valueOf(below.signum());
      return new Fraction(
          above.divide(divisor).multiply(sign), below.divide(divisor).multiply(sign));
    }

    Fraction times(Fraction other) {
      return reduced(above.multiply(other.above), below.multiply(other.below));
    }

    Fraction over(Fraction other) {
      return reduced(above.multiply(other.below), below.multiply(other.above));
    }
  }
}
