package dev.smelt.merge.sparse;

import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod.ChunkKernel;
import java.util.Arrays;

/**
 * θ₀ + Σ aᵢfᵢ(θᵢ − θ₀)/d over the models that count in an element, f as a {@link Thinner} gives it.
 *
 * <p>It is computed as (Σ aᵢfᵢθᵢ + (d − Σ aᵢfᵢ)θ₀)/d, which loses no digits of small values to
 * large ones of the base and is a mean of the models' own values where the base has no part in it.
 * Where no model counts the result is θ₀ bit for bit; where the base has no part and all that count
 * agree, it is their value bit for bit.
 *
 * @param coefficients a, the votes v and the weights w
 * @param agree whether only those models count whose change has the sign of Σ vᵢfᵢ(θᵢ − θ₀); a sum
 *     of 0 counts as positive
 * @param divisor d
 * @param exact whether factors are 0 or 1, and products of coefficients with values are not rounded
 */
record Blend(
    Coefficients coefficients, boolean agree, Divisor divisor, boolean exact, Thinner thinner)
    implements ChunkKernel {

  /** Elements at a time, so that what is needed beside the tensors stays in the L1 cache. */
  private static final int BLOCK = 512;

  private static final long ONE = Double.doubleToRawLongBits(1);
  private static final long SIGN = Long.MIN_VALUE;
  private static final long INFINITY = Double.doubleToRawLongBits(Double.POSITIVE_INFINITY);
  private static final long MINUS_INFINITY = Double.doubleToRawLongBits(Double.NEGATIVE_INFINITY);

  /** Added to the bits of a positive number it reaches the sign bit where that is not finite. */
  private static final long ONE_EXPONENT = 1L << 52;

  /** What sums are divided by. */
  enum Divisor {
    ONE,
    /** Σ wᵢ over all models. */
    ALL,
    /** Σ wᵢ over the models that count, 1 where that is 0. */
    COUNTED
  }

  @Override
  public void merge(Chunk chunk, double[] merged) {
    Block block = new Block();
    for (int at = 0; at < chunk.count(); at += BLOCK) {
      block.merge(chunk, at, Math.min(BLOCK, chunk.count() - at), merged);
    }
  }

  /** The work of one thread. */
  private final class Block {

    private final int models = coefficients.change().length;
    private final double[][] factors = new double[models][BLOCK];
    private final double[][] shares = new double[models][BLOCK];
    private final double[] elected = new double[BLOCK];
    private final double[] sign = new double[BLOCK];
    private final double[] counts = new double[BLOCK];
    private final double[] sum = new double[BLOCK];
    private final double[] ofChanges = new double[BLOCK];
    private final double[] ofWeights = new double[BLOCK];
    private final double[] least = new double[BLOCK];
    private final double[] most = new double[BLOCK];

    void merge(Chunk chunk, int at, int count, double[] merged) {
      thinner.fill(chunk, at, count, factors);
      double[] base = chunk.theta()[0];
      Arrays.fill(elected, 0);
      Arrays.fill(sum, 0);
      Arrays.fill(ofChanges, 0);
      Arrays.fill(ofWeights, divisor == Divisor.COUNTED ? 0 : constant());
      Arrays.fill(least, Double.POSITIVE_INFINITY);
      Arrays.fill(most, Double.NEGATIVE_INFINITY);
      for (int i = 0; i < models; i++) {
        double vote = coefficients.vote()[i];
        elect(vote, factors[i], base, chunk.theta()[i + 1], at, count, shares[i]);
      }
      if (agree) {
        sign(count);
      }
      for (int i = 0; i < models; i++) {
        count(shares[i], count);
        add(i, chunk.theta()[i + 1], at, count);
        if (!exact) {
          widen(chunk.theta()[i + 1], at, count);
        }
      }
      boolean regular = divide(base, at, count, merged);
      if (!exact) {
        settle(base, at, count, merged);
      }
      if (!regular) {
        for (int k = 0; k < count; k++) {
          if (irregular(merged[at + k], elected[k]) < 0) {
            merged[at + k] = element(chunk, at + k, k);
          }
        }
      }
    }

    private double constant() {
      // One after the other, as where they are counted, so that all of them make the same number.
      double all = 0;
      for (double weight : coefficients.weight()) {
        all += weight;
      }
      return divisor == Divisor.ONE || all == 0 ? coefficients.one() : all;
    }

    // Loops of their own and without branches, so that the compiler turns them into vector
    // instructions.

    private void elect(
        double vote,
        double[] factor,
        double[] base,
        double[] theta,
        int at,
        int count,
        double[] of) {
      for (int k = 0; k < count; k++) {
        double change = vote * factor[k] * (theta[at + k] - base[at + k]);
        of[k] = change;
        elected[k] += change;
      }
    }

    /** 1 or −1. */
    private void sign(int count) {
      for (int k = 0; k < count; k++) {
        // Adding 0 turns −0 into 0.
        long bits = Double.doubleToRawLongBits(elected[k] + 0.0) & SIGN;
        sign[k] = Double.longBitsToDouble(ONE | bits);
      }
    }

    /** 1 where a model counts, else 0. */
    private void count(double[] share, int count) {
      if (agree) {
        for (int k = 0; k < count; k++) {
          long agrees = Double.doubleToRawLongBits(0.0 - share[k] * sign[k]) >> (Long.SIZE - 1);
          counts[k] = Double.longBitsToDouble(ONE & agrees);
        }
      } else {
        for (int k = 0; k < count; k++) {
          long changes = Double.doubleToRawLongBits(0.0 - Math.abs(share[k])) >> (Long.SIZE - 1);
          counts[k] = Double.longBitsToDouble(ONE & changes);
        }
      }
    }

    private void add(int i, double[] theta, int at, int count) {
      double[] factor = factors[i];
      double change = coefficients.change()[i];
      for (int k = 0; k < count; k++) {
        double of = change * factor[k] * counts[k];
        sum[k] += of * theta[at + k];
        ofChanges[k] += of;
      }
      if (divisor == Divisor.COUNTED) {
        double weight = coefficients.weight()[i];
        for (int k = 0; k < count; k++) {
          ofWeights[k] += weight * counts[k];
        }
      }
    }

    private void widen(double[] theta, int at, int count) {
      for (int k = 0; k < count; k++) {
        // The second bit of 1 is set, that of 0 is not.
        long mask = Double.doubleToRawLongBits(counts[k]) << 2 >> (Long.SIZE - 1);
        long value = Double.doubleToRawLongBits(theta[at + k]) & mask;
        least[k] = Math.min(least[k], Double.longBitsToDouble(value | (INFINITY & ~mask)));
        most[k] = Math.max(most[k], Double.longBitsToDouble(value | (MINUS_INFINITY & ~mask)));
      }
    }

    /** Whether all results are regular. */
    private boolean divide(double[] base, int at, int count, double[] merged) {
      if (divisor == Divisor.COUNTED) {
        double one = coefficients.one();
        for (int k = 0; k < count; k++) {
          long zero = (Double.doubleToRawLongBits(Math.abs(ofWeights[k])) - 1) >> (Long.SIZE - 1);
          ofWeights[k] += one * Double.longBitsToDouble(ONE & zero);
        }
      }
      for (int k = 0; k < count; k++) {
        double by = ofWeights[k];
        merged[at + k] = (sum[k] + (by - ofChanges[k]) * base[at + k]) / by;
      }
      long all = 0;
      for (int k = 0; k < count; k++) {
        all |= irregular(merged[at + k], elected[k]);
      }
      return all >= 0;
    }

    /** Where rounding may have moved what is one value by definition. */
    private void settle(double[] base, int at, int count, double[] merged) {
      for (int k = 0; k < count; k++) {
        if (irregular(merged[at + k], elected[k]) >= 0) {
          if (least[k] > most[k]) {
            merged[at + k] = base[at + k];
          } else if (least[k] == most[k] && ofChanges[k] == ofWeights[k]) {
            merged[at + k] = least[k];
          }
        }
      }
    }

    private double element(Chunk chunk, int at, int k) {
      double base = chunk.theta()[0][at];
      double[] theta = new double[models];
      double[] factor = new double[models];
      boolean changed = false;
      for (int i = 0; i < models; i++) {
        theta[i] = chunk.theta()[i + 1][at];
        changed |= theta[i] != base;
      }
      if (!changed) {
        return base;
      }
      Arrays.setAll(factor, i -> factors[i][k]);
      return new Element(Blend.this, base, theta, factor).value();
    }
  }

  /**
   * Negative where a value is 0, whose sign sums do not keep, or where it or a sum is not finite.
   */
  private static long irregular(double value, double elected) {
    long bits = Double.doubleToRawLongBits(Math.abs(value));
    return (bits - 1)
        | (bits + ONE_EXPONENT)
        | (Double.doubleToRawLongBits(Math.abs(elected)) + ONE_EXPONENT);
  }
}
