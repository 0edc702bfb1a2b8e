package dev.smelt.merge.mean;

import dev.smelt.formats.UsageException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** The λ of each model. */
final class Weights {

  /** Up to here a double counts in ones. */
  private static final BigInteger WHOLE_LIMIT = BigInteger.ONE.shiftLeft(53);

  /** Decimals beyond it cannot all be shifted out below {@link #WHOLE_LIMIT}. */
  private static final int MAX_DECIMALS = 20;

  private Weights() {}

  /**
   * @param given one per model, or none for equal weights
   * @throws UsageException when their sum is no divisor
   */
  static void requireMean(List<Double> given, int models) {
    if (!given.isEmpty() && given.size() != models) {
      throw new UsageException(
          given.size() + " weights for " + models + " models", "give one per model, in order");
    }
    BigDecimal sum =
        given.stream().map(BigDecimal::valueOf).reduce(BigDecimal.ZERO, BigDecimal::add);
    double total = given.isEmpty() ? models : sum.doubleValue();
    if (total <= 0 || Double.isInfinite(total)) {
      throw new UsageException(
          "the weights sum to " + total, "make their sum a positive finite number");
    }
  }

  /** The weights scaled to sum to one, as far as doubles can; for people and manifests. */
  static double[] normalized(List<Double> given, int models) {
    double[] ratio = ratio(given, models);
    double total = Arrays.stream(ratio).sum();
    return Arrays.stream(ratio).map(weight -> weight / total).toArray();
  }

  /**
   * The weights in the proportion given, as the smallest whole numbers there are: 0.6 and 0.4 are 3
   * and 2. With those, weighted sums of narrow types are exact in f64 and the only error of a mean
   * is that of its division. Doubles near 0.6 or a third would tip results that lie half-way
   * between two neighbours. Weights without such numbers below 2⁵³ are returned as they are.
   */
  static double[] ratio(List<Double> given, int models) {
    if (given.isEmpty()) {
      double[] equal = new double[models];
      Arrays.fill(equal, 1);
      return equal;
    }
    List<BigDecimal> decimals =
        given.stream().map(weight -> BigDecimal.valueOf(weight).stripTrailingZeros()).toList();
    int shift = Collections.max(decimals.stream().map(BigDecimal::scale).toList());
    if (Math.abs(shift) > MAX_DECIMALS) {
      return given.stream().mapToDouble(Double::doubleValue).toArray();
    }
    List<BigInteger> whole =
        decimals.stream().map(weight -> weight.scaleByPowerOfTen(shift).toBigInteger()).toList();
    BigInteger divisor = whole.stream().reduce(BigInteger.ZERO, BigInteger::gcd);
    boolean small =
        whole.stream()
                .map(BigInteger::abs)
                .reduce(BigInteger.ZERO, BigInteger::add)
                .divide(divisor)
                .compareTo(WHOLE_LIMIT)
            <= 0;
    return small
        ? whole.stream().mapToDouble(weight -> weight.divide(divisor).doubleValue()).toArray()
        : given.stream().mapToDouble(Double::doubleValue).toArray();
  }
}
