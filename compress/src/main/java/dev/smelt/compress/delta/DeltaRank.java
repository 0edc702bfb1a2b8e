package dev.smelt.compress.delta;

import dev.smelt.compress.lowrank.Spectrum;
import dev.smelt.formats.UsageException;
import java.math.BigDecimal;

/** How many singular directions of a change are kept. */
public sealed interface DeltaRank {

  /** How many directions have to be computed, of {@code full} = min(out, in). */
  int wanted(int out, int in, int full);

  /**
   * @param spectrum of the weighted change, with at least {@link #wanted} values
   * @return at least 1, at most {@link #wanted}
   */
  int rank(int out, int in, Spectrum spectrum);

  /** The largest relative error in the metric that factors may have as written. */
  double promisedError();

  /**
   * The same for every matrix, or the most that it can have.
   *
   * @param rank r, at least 1
   */
  record Fixed(int rank) implements DeltaRank {
    public Fixed {
      if (rank < 1) {
        throw new UsageException("--rank " + rank + " is out of range", "use 1 or more");
      }
    }

    @Override
    public int wanted(int out, int in, int full) {
      return Math.min(rank, full);
    }

    @Override
    public int rank(int out, int in, Spectrum spectrum) {
      return Math.min(rank, Math.min(out, in));
    }

    @Override
    public double promisedError() {
      return Double.POSITIVE_INFINITY;
    }
  }

  /**
   * The same share of every change's elements: r = ⌊ρ·out·in/(out+in)⌋, at least 1.
   *
   * @param ratio ρ, in (0, 1]
   */
  record Keep(double ratio) implements DeltaRank {
    public Keep {
      if (!(ratio > 0 && ratio <= 1)) {
        throw new UsageException("--keep " + ratio + " is out of range", "use a number in (0, 1]");
      }
    }

    @Override
    public int wanted(int out, int in, int full) {
      // In decimals: 0.58 · 100 · 100 / 200 is 29, and just below it in doubles.
      BigDecimal elements = BigDecimal.valueOf(ratio).multiply(BigDecimal.valueOf((long) out * in));
      int rank = elements.divideToIntegralValue(BigDecimal.valueOf((long) out + in)).intValue();
      return Math.clamp(rank, 1, full);
    }

    @Override
    public int rank(int out, int in, Spectrum spectrum) {
      return wanted(out, in, Math.min(out, in));
    }

    @Override
    public double promisedError() {
      return Double.POSITIVE_INFINITY;
    }
  }

  /**
   * The smallest rank with Σ_{i>r} σᵢ² ≤ ε² Σ σᵢ², raised where rounding to the stored type breaks
   * it. A limit of 0 asks for every direction that carries something and promises nothing.
   *
   * @param limit ε, in [0, 1)
   */
  record MaxError(double limit) implements DeltaRank {
    public MaxError {
      if (!(limit >= 0 && limit < 1)) {
        throw new UsageException(
            "--max-error " + limit + " is out of range", "use a number in [0, 1)");
      }
    }

    @Override
    public int wanted(int out, int in, int full) {
      return full;
    }

    @Override
    public int rank(int out, int in, Spectrum spectrum) {
      double[] tails = spectrum.tails();
      int rank = 1;
      while (rank < spectrum.size() && tails[rank] > limit * limit) {
        rank++;
      }
      return rank;
    }

    @Override
    public double promisedError() {
      return limit == 0 ? Double.POSITIVE_INFINITY : limit;
    }
  }
}
