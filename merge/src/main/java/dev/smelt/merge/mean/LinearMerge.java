package dev.smelt.merge.mean;

import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import dev.smelt.merge.method.Values;
import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Weighted average, θ* = Σ λᵢθᵢ with Σ λᵢ = 1.
 *
 * <p>Equal models give that model bit for bit. Wortsman et al., "Model soups", ICML 2022, arXiv
 * 2203.05482.
 *
 * @param weights λ, one per model in any scale; empty for equal ones
 * @param normalize scale them to sum to one; otherwise they are taken as they are
 */
public record LinearMerge(List<Double> weights, boolean normalize) implements MergeMethod {

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "linear",
          "Weighted average of the models",
          "θ* = Σ λᵢ θᵢ",
          "Wortsman et al., Model soups, ICML 2022, arXiv 2203.05482",
          MethodDescription.Inputs.MODELS,
          List.of(
              Parameter.weight(Range.FINITE, "λ of each model"),
              Parameter.flag("normalize", true, "scale the weights to sum to one")),
          LinearMerge::of);

  public LinearMerge {
    weights = List.copyOf(weights);
  }

  /** With weights that are scaled to sum to one. */
  public LinearMerge(List<Double> weights) {
    this(weights, true);
  }

  static LinearMerge of(Values values) {
    LinearMerge merge = new LinearMerge(values.perModel("weight"), values.flag("normalize"));
    merge.requireMean(values.models());
    return merge;
  }

  private void requireMean(int models) {
    if (normalize) {
      Weights.requireMean(weights, models);
    }
  }

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    requireMean(context.models());
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("weights", normalize ? Weights.normalized(weights, context.models()) : weights);
    parameters.put("normalize", normalize);
    return new Prepared(new Arithmetic.OfElements(kernel(context.models())), parameters);
  }

  private ChunkKernel kernel(int models) {
    return normalize
        ? Combination.mean(weights, models)
        : Combination.sum(weights.stream().map(BigDecimal::valueOf).toList());
  }
}
