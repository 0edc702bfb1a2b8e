package dev.smelt.merge.sparse;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

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
