package dev.smelt.merge.mean;

import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod.ChunkKernel;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Linear combinations of models with the same coefficients for all elements. Those with decimals
 * are exact in f64 for narrow types but for one rounding, and models with a coefficient of zero are
 * not looked at.
 */
public final class Combination {

  private Combination() {}

  /**
   * Σ wᵢθᵢ / Σ wᵢ.
   *
   * @param weights empty for equal ones
   */
  public static ChunkKernel mean(List<Double> weights, int models) {
    double[] ratio = Weights.ratio(weights, models);
    int[] used = IntStream.range(0, models).filter(i -> ratio[i] != 0).toArray();
    double[] others = Arrays.stream(used).mapToDouble(i -> ratio[i]).toArray();
    ChunkKernel mean =
        (chunk, merged) -> {
          double[][] some = new double[used.length][];
          Arrays.setAll(some, i -> chunk.theta()[used[i]]);
          merge(others, some, chunk.count(), merged);
        };
    return used.length == models && WholeMean.fits(ratio) ? new WholeMean(ratio, mean) : mean;
  }

  private static void merge(double[] ratio, double[][] theta, int count, double[] merged) {
    Mean mean = new Mean(ratio);
    for (int i = 0; i < ratio.length; i++) {
      Arrays.fill(mean.weights(i), ratio[i]);
    }
    for (int at = 0; at < count; at += Mean.BLOCK) {
      mean.of(theta, at, Math.min(Mean.BLOCK, count - at), merged);
    }
  }

  /** Σ cᵢθᵢ: the mean of these and of zeros, which have the weight that is missing to one. */
  public static ChunkKernel sum(List<BigDecimal> coefficients) {
    List<Double> weights = new ArrayList<>();
    weights.add(coefficients.stream().reduce(BigDecimal.ONE, BigDecimal::subtract).doubleValue());
    coefficients.forEach(coefficient -> weights.add(coefficient.doubleValue()));
    ChunkKernel mean = mean(weights, weights.size());
    return (chunk, merged) -> {
      double[][] theta = new double[weights.size()][];
      theta[0] = new double[chunk.count()];
      System.arraycopy(chunk.theta(), 0, theta, 1, coefficients.size());
      mean.merge(new Chunk(theta, chunk.fisher(), chunk.first(), chunk.count()), merged);
    };
  }
}
