package dev.smelt.merge.sparse;

import java.util.Arrays;
import java.util.List;

/** Which elements of a change are kept, of one model and tensor. */
sealed interface Keep {

  /**
   * Turns changes θᵢ − θ₀ into what they are multiplied by: 0 where they are left out. The result
   * depends on the places of elements only, not on what is asked for together.
   *
   * @param first place of {@code values[0]} in the tensor
   */
  void factors(long first, int count, double[] values);

  /** Of each model what its own keeps. */
  static Thinner each(List<Keep> keeps) {
    return (chunk, at, count, factors) -> {
      double[] base = chunk.theta()[0];
      for (int i = 0; i < factors.length; i++) {
        double[] values = factors[i];
        double[] theta = chunk.theta()[i + 1];
        for (int k = 0; k < count; k++) {
          values[k] = theta[at + k] - base[at + k];
        }
        keeps.get(i).factors(chunk.first() + at, count, values);
      }
    };
  }

  /** Nothing. */
  record Nothing() implements Keep {
    @Override
    public void factors(long first, int count, double[] values) {
      Arrays.fill(values, 0, count, 0);
    }
  }

  /** Everything. */
  record All() implements Keep {
    @Override
    public void factors(long first, int count, double[] values) {
      Arrays.fill(values, 0, count, 1);
    }
  }

  /**
   * By size.
   *
   * @param least the largest changes, of which those are kept
   * @param most that are not among these even larger ones
   * @param factor of what is kept
   */
  record Between(Cut least, Cut most, double factor) implements Keep {
    @Override
    public void factors(long first, int count, double[] values) {
      for (int k = 0; k < count; k++) {
        values[k] = Math.abs(values[k]);
      }
      if (most.equals(Cut.NOTHING)) {
        least.above(first, count, values);
      } else {
        double[] others = Arrays.copyOf(values, count);
        most.below(first, count, others);
        least.above(first, count, values);
        for (int k = 0; k < count; k++) {
          values[k] *= others[k];
        }
      }
      for (int k = 0; k < count && factor != 1; k++) {
        values[k] *= factor;
      }
    }
  }

  /**
   * Each with the same probability.
   *
   * @param bound of draws that keep
   */
  record Drawn(Draws draws, long bound) implements Keep {
    @Override
    public void factors(long first, int count, double[] values) {
      for (int k = 0; k < count; k++) {
        // 1 where the difference is negative.
        values[k] = (draws.of(first + k) - bound) >>> (Long.SIZE - 1);
      }
    }
  }

  /**
   * Each with the probability that its rank in its row gives it.
   *
   * @param rescale divide what is kept by its probability
   */
  record DrawnByRank(RowRanks rows, Draws draws, double density, double epsilon, boolean rescale)
      implements Keep {

    /** Of the smallest in its row density − ε, of the largest density + ε. */
    double probability(double rank) {
      return density + epsilon * (2 * rank - 1);
    }

    @Override
    public void factors(long first, int count, double[] values) {
      for (int k = 0; k < count; ) {
        long row = (first + k) / rows.length();
        int column = (int) ((first + k) % rows.length());
        double[] ranks = rows.ranks(row);
        int end = (int) Math.min(count, k + (long) rows.length() - column);
        for (; k < end; k++, column++) {
          double probability = probability(ranks[column]);
          boolean kept = draws.of(first + k) < Draws.bound(probability);
          values[k] = kept ? (rescale ? 1 / probability : 1) : 0;
        }
      }
    }
  }
}
