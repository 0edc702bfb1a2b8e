package dev.smelt.merge;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Weighted average, θ* = Σ λᵢθᵢ with Σ λᵢ = 1.
 *
 * <p>Computed as θ₁ + Σ λᵢ(θᵢ − θ₁), so that equal models give that model bit for bit. Wortsman et
 * al., "Model soups", ICML 2022, arXiv 2203.05482.
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
  public boolean usesFisher() {
    return false;
  }

  @Override
  public Prepared prepare(MergePlan plan) {
    double[] lambda = Weights.normalized(weights, plan.models(), true);
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("weights", lambda);
    return new Prepared(
        (theta, fisher, count, merged) -> merge(lambda, theta, count, merged), parameters);
  }

  static void merge(double[] lambda, double[][] theta, int count, double[] merged) {
    double[] first = theta[0];
    System.arraycopy(first, 0, merged, 0, count);
    for (int i = 1; i < theta.length; i++) {
      double[] other = theta[i];
      double weight = lambda[i];
      for (int k = 0; k < count; k++) {
        merged[k] += weight * (other[k] - first[k]);
      }
    }
  }
}
