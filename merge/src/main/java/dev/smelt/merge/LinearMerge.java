package dev.smelt.merge;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Weighted average, θ* = Σ λᵢθᵢ with Σ λᵢ = 1.
 *
 * <p>Equal models give that model bit for bit. Wortsman et al., "Model soups", ICML 2022, arXiv
 * 2203.05482.
 *
 * @param weights λ, one per model in any scale; empty for equal ones
 */
public record LinearMerge(List<Double> weights) implements MergeMethod {

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "linear",
          "Weighted average of the models",
          "θ* = Σ λᵢ θᵢ",
          "Wortsman et al., Model soups, ICML 2022, arXiv 2203.05482",
          List.of(
              new MethodDescription.Parameter(
                  "--weight",
                  "λ of each model, scaled to sum to one",
                  "finite, positive sum",
                  "equal")));

  public LinearMerge {
    weights = List.copyOf(weights);
  }

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public void requireModels(int models) {
    Weights.require(weights, models, true);
  }

  @Override
  public Prepared prepare(MergePlan plan, int threads) {
    requireModels(plan.models().size());
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("weights", Weights.normalized(weights, plan.models().size()));
    return new Prepared(new Arithmetic.OfElements(kernel(plan.models().size())), parameters);
  }

  /** The mean of so many models; those with a weight of zero are not looked at. */
  ChunkKernel kernel(int models) {
    double[] ratio = Weights.ratio(weights, models);
    int[] used = IntStream.range(0, models).filter(i -> ratio[i] != 0).toArray();
    double[] others = Arrays.stream(used).mapToDouble(i -> ratio[i]).toArray();
    return (theta, fisher, count, merged) -> {
      double[][] some = new double[used.length][];
      Arrays.setAll(some, i -> theta[used[i]]);
      merge(others, some, count, merged);
    };
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
}
