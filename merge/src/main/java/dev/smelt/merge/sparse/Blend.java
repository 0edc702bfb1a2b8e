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
 */
record Blend(Coefficients coefficients, boolean agree, Divisor divisor, Thinner thinner)
    implements ChunkKernel {

  /** Elements at a time, so that what is needed beside the tensors stays in the L1 cache. */
  private static final int BLOCK = 512;

  private static final long INFINITY = Double.doubleToRawLongBits(Double.POSITIVE_INFINITY);
  private static final long MINUS_INFINITY = Double.doubleToRawLongBits(Double.NEGATIVE_INFINITY);

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
      Arrays.fill(ofWeights, divisor == Divisor.COUNTED ? 0 : divisor());
      Arrays.fill(least, Double.POSITIVE_INFINITY);
      Arrays.fill(most, Double.NEGATIVE_INFINITY);
      for (int i = 0; i < models; i++) {
        elect(coefficients.vote()[i], factors[i], base, chunk.theta()[i + 1], at, count, shares[i]);
      }
      if (agree) {
        for (double[] share : shares) {
          compare(share, count);
        }
      } else {
        for (double[] share : shares) {
          present(share, count);
        }
      }
      for (int i = 0; i < models; i++) {
        add(i, chunk.theta()[i + 1], at, count);
      }
      finish(chunk, at, count, merged);
    }

    private double divisor() {
      return divisor == Divisor.ONE
          ? coefficients.one()
          : Arrays.stream(coefficients.weight()).sum();
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
        double[] share) {
      for (int k = 0; k < count; k++) {
        double change = vote * factor[k] * (theta[at + k] - base[at + k]);
        share[k] = change;
        elected[k] += change;
      }
    }

    /** Makes shares positive where they have the elected sign, elsewhere not. */
    private void compare(double[] share, int count) {
      for (int k = 0; k < count; k++) {
        // Adding 0 turns −0 into 0.
        share[k] *= Math.copySign(1.0, elected[k] + 0.0);
      }
    }

    private void present(double[] share, int count) {
      for (int k = 0; k < count; k++) {
        share[k] = Math.abs(share[k]);
      }
    }

    /** 1 of positive numbers, 0 of negative ones and zeros. */
    private static double counts(double share) {
      return Double.doubleToRawLongBits(0 - share) >>> (Long.SIZE - 1);
    }

    private void add(int i, double[] theta, int at, int count) {
      double[] share = shares[i];
      double[] factor = factors[i];
      double change = coefficients.change()[i];
      for (int k = 0; k < count; k++) {
        double of = change * factor[k] * counts(share[k]);
        sum[k] += of * theta[at + k];
        ofChanges[k] += of;
      }
      if (divisor == Divisor.COUNTED) {
        double weight = coefficients.weight()[i];
        for (int k = 0; k < count; k++) {
          ofWeights[k] += weight * counts(share[k]);
        }
      }
      for (int k = 0; k < count; k++) {
        long mask = Double.doubleToRawLongBits(0 - share[k]) >> (Long.SIZE - 1);
        long value = Double.doubleToRawLongBits(theta[at + k]) & mask;
        least[k] = Math.min(least[k], Double.longBitsToDouble(value | (INFINITY & ~mask)));
        most[k] = Math.max(most[k], Double.longBitsToDouble(value | (MINUS_INFINITY & ~mask)));
      }
    }

    private void finish(Chunk chunk, int at, int count, double[] merged) {
      double[] base = chunk.theta()[0];
      for (int k = 0; k < count; k++) {
        double by = ofWeights[k] == 0 ? coefficients.one() : ofWeights[k];
        double value = (sum[k] + (by - ofChanges[k]) * base[at + k]) / by;
        // False of NaN too.
        boolean regular = Math.abs(value) + Math.abs(elected[k]) <= Double.MAX_VALUE;
        if (!regular) {
          merged[at + k] = wide(chunk, at + k, k);
        } else if (least[k] > most[k]) {
          merged[at + k] = base[at + k];
        } else {
          boolean agreed = least[k] == most[k] && ofChanges[k] == by;
          merged[at + k] = agreed ? least[k] : value;
        }
      }
    }

    private double wide(Chunk chunk, int at, int k) {
      double[] theta = new double[models];
      double[] factor = new double[models];
      Arrays.setAll(theta, i -> chunk.theta()[i + 1][at]);
      Arrays.setAll(factor, i -> factors[i][k]);
      return new Element(Blend.this, chunk.theta()[0][at], theta, factor).value();
    }
  }
}
