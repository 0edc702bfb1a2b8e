package dev.smelt.merge.arc;

import dev.smelt.merge.arc.Vectors.Layout;
import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod.ChunkKernel;
import java.util.BitSet;

/**
 * Linear combinations Σ cᵢθᵢ, or θ₀ + Σ cᵢ(θᵢ − θ₀), with coefficients for each vector of a tensor.
 * Elements that nobody changed keep the bits they have in the base.
 */
final class Blend implements ChunkKernel {

  /** Sums that are beyond f64 on the way to a result that is not are formed in this unit. */
  private static final double SMALL = 0x1p-64;

  private final Layout layout;
  private final boolean onBase;
  private final double[][] coefficients;
  private final BitSet mixed;
  private final boolean allMixed;
  private final ChunkKernel otherwise;

  /**
   * @param coefficients by model and vector
   * @param mixed the vectors that they are for
   * @param otherwise for the other ones
   */
  Blend(
      Layout layout, boolean onBase, double[][] coefficients, BitSet mixed, ChunkKernel otherwise) {
    this.layout = layout;
    this.onBase = onBase;
    this.coefficients = coefficients;
    this.mixed = mixed;
    this.allMixed = mixed.cardinality() == layout.count();
    this.otherwise = otherwise;
  }

  @Override
  public void merge(Chunk chunk, double[] merged) {
    if (!allMixed) {
      otherwise.merge(chunk, merged);
    }
    for (int k = 0; k < chunk.count(); ) {
      int vector = layout.vectorOf(chunk.first() + k);
      int end =
          layout.interleaved()
              ? k + 1
              : (int) Math.min(chunk.count(), (vector + 1) * layout.length() - chunk.first());
      if (mixed.get(vector)) {
        merge(chunk.theta(), vector, k, end, merged);
      }
      k = end;
    }
  }

  private void merge(double[][] theta, int vector, int from, int to, double[] merged) {
    int skipped = onBase ? 1 : 0;
    for (int i = 0; i < coefficients.length; i++) {
      double c = coefficients[i][vector];
      double[] values = theta[i + skipped];
      if (onBase) {
        addChange(c, values, theta[0], i == 0, from, to, merged);
      } else {
        add(c, values, i == 0, from, to, merged);
      }
    }
    for (int k = from; k < to; k++) {
      if (onBase) {
        merged[k] = merged[k] == 0 ? theta[0][k] : theta[0][k] + merged[k];
      }
      if (!Double.isFinite(merged[k])) {
        merged[k] = small(theta, vector, k) / SMALL;
      }
    }
  }

  // Loops of their own, so that the compiler turns them into vector instructions.

  private static void add(
      double c, double[] values, boolean isFirst, int from, int to, double[] sum) {
    if (isFirst) {
      for (int k = from; k < to; k++) {
        sum[k] = c * values[k];
      }
    } else {
      for (int k = from; k < to; k++) {
        sum[k] += c * values[k];
      }
    }
  }

  private static void addChange(
      double c, double[] values, double[] base, boolean isFirst, int from, int to, double[] sum) {
    if (isFirst) {
      for (int k = from; k < to; k++) {
        sum[k] = c * (values[k] - base[k]);
      }
    } else {
      for (int k = from; k < to; k++) {
        sum[k] += c * (values[k] - base[k]);
      }
    }
  }

  private double small(double[][] theta, int vector, int k) {
    double base = onBase ? theta[0][k] * SMALL : 0;
    double sum = base;
    for (int i = 0; i < coefficients.length; i++) {
      double value = theta[i + (onBase ? 1 : 0)][k] * SMALL;
      sum += coefficients[i][vector] * (value - base);
    }
    return sum;
  }
}
