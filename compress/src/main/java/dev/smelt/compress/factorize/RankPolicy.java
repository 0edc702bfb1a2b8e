package dev.smelt.compress.factorize;

import dev.smelt.formats.UsageException;
import java.math.BigDecimal;

/** How many singular directions a layer keeps. */
public sealed interface RankPolicy {

  /**
   * @param energy σ², in falling order, of the weighted matrix
   * @return at least 1, at most {@code energy.length}
   */
  int rank(Layer layer, double[] energy);

  /** The largest relative error in the metric that what is written may have; infinite for none. */
  double promisedError();

  /**
   * The same share of every layer's elements: r = ⌊ρ·out·in/(out+in)⌋, at least 1.
   *
   * @param ratio ρ, in (0, 1]
   */
  record KeepRatio(double ratio) implements RankPolicy {

    public KeepRatio {
      if (!(ratio > 0 && ratio <= 1)) {
        throw new UsageException("--keep " + ratio + " is out of range", "use a number in (0, 1]");
      }
    }

    @Override
    public int rank(Layer layer, double[] energy) {
      // In decimals: 0.58 · 100 · 100 / 200 is 29, and just below it in doubles.
      BigDecimal elements =
          BigDecimal.valueOf(ratio).multiply(BigDecimal.valueOf(layer.weight().elements()));
      BigDecimal perRank = BigDecimal.valueOf((long) layer.out() + layer.in());
      return Math.clamp(elements.divideToIntegralValue(perRank).intValue(), 1, energy.length);
    }

    @Override
    public double promisedError() {
      return Double.POSITIVE_INFINITY;
    }
  }

  /**
   * The smallest rank whose relative error in the metric is at most {@code limit}: Σ_{i≤r} σᵢ² ≥ (1
   * − ε²) Σ σᵢ². What rounding to the stored type costs counts too. A limit of 0 asks for every
   * direction and promises nothing: no stored type is exact.
   *
   * @param limit ε, in [0, 1)
   */
  record MaxError(double limit) implements RankPolicy {

    public MaxError {
      if (!(limit >= 0 && limit < 1)) {
        throw new UsageException(
            "--max-error " + limit + " is out of range", "use a number in [0, 1)");
      }
    }

    @Override
    public int rank(Layer layer, double[] energy) {
      double total = 0;
      for (int i = energy.length - 1; i >= 0; i--) {
        total += energy[i];
      }
      // Summed from the smallest up, so that a small tail is not lost in a large total.
      double tail = 0;
      int rank = energy.length;
      while (rank > 1 && tail + energy[rank - 1] <= limit * limit * total) {
        tail += energy[rank - 1];
        rank--;
      }
      return rank;
    }

    @Override
    public double promisedError() {
      return limit == 0 ? Double.POSITIVE_INFINITY : limit;
    }
  }
}
