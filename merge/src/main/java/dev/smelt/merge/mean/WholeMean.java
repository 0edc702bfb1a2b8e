package dev.smelt.merge.mean;

import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod.ChunkKernel;
import dev.smelt.merge.method.MergeMethod.NarrowKernel;
import java.util.Arrays;

/**
 * Σ nᵢθᵢ / Σ nᵢ with whole numbers n. Products of f32 values with them are exact in f64, so models
 * that agree give their value without being compared.
 *
 * @param weights n
 * @param wide for values that f32 does not have
 */
@SuppressWarnings("ArrayRecordComponent") // Never compared.
record WholeMean(double[] weights, ChunkKernel wide) implements NarrowKernel {

  /** f64 has 53 binary digits, f32 has 24. */
  private static final double LIMIT = 1 << (53 - 24);

  static boolean fits(double[] weights) {
    return Arrays.stream(weights).allMatch(weight -> weight == Math.rint(weight))
        && Arrays.stream(weights).map(Math::abs).sum() <= LIMIT;
  }

  @Override
  public void merge(Chunk chunk, double[] merged) {
    wide.merge(chunk, merged);
  }

  @Override
  public void merge(float[][] theta, int count, double[] merged) {
    double total = Arrays.stream(weights).sum();
    if (weights.length == 2) {
      ofTwo(weights[0], theta[0], weights[1], theta[1], total, count, merged);
      return;
    }
    scale(weights[0], theta[0], count, merged);
    for (int i = 1; i < weights.length; i++) {
      add(weights[i], theta[i], count, merged);
    }
    divide(total, count, merged);
  }

  // Loops of their own, so that the compiler turns them into vector instructions.

  private static void ofTwo(
      double v, float[] a, double w, float[] b, double total, int count, double[] merged) {
    for (int k = 0; k < count; k++) {
      merged[k] = (v * a[k] + w * b[k]) / total;
    }
  }

  private static void scale(double weight, float[] theta, int count, double[] merged) {
    for (int k = 0; k < count; k++) {
      merged[k] = weight * theta[k];
    }
  }

  private static void add(double weight, float[] theta, int count, double[] merged) {
    for (int k = 0; k < count; k++) {
      merged[k] += weight * theta[k];
    }
  }

  private static void divide(double total, int count, double[] merged) {
    for (int k = 0; k < count; k++) {
      merged[k] /= total;
    }
  }
}
