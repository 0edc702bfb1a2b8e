package dev.smelt.merge.mean;

import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import dev.smelt.merge.method.Values;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The matrix whose outputs are closest to those that each model has for its own inputs,
 *
 * <pre>  W* = (Σ λᵢ Wᵢ Âᵢ) (Σ λᵢ Âᵢ)⁻¹,   Âᵢ = α Aᵢ + (1 − α) diag Aᵢ + μI</pre>
 *
 * <p>with Aᵢ = E[x xᵀ] and μ a small share of the mean of the diagonal of Σ λᵢ Aᵢ, so that there is
 * an inverse. All other tensors are merged by {@link #rest}, embeddings too: the Gram matrix of a
 * tied one is that of the head's inputs, and says nothing of the rows that are looked up. Jin et
 * al., "Dataless Knowledge Fusion by Merging Weights of Language Models", ICLR 2023, arXiv
 * 2212.09849.
 *
 * @param weights λ, one per model in any scale; empty for equal ones
 * @param alpha α, in [0, 1]
 * @param damping μ over that mean, positive
 * @param rest for tensors without a Gram matrix
 */
public record RegMeanMerge(List<Double> weights, double alpha, double damping, MergeMethod rest)
    implements MergeMethod {

  public static final double DEFAULT_ALPHA = 0.9;

  public static final double DEFAULT_DAMPING = 1e-6;

  private static final String FISHER = "fisher";
  private static final String LINEAR = "linear";

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "regmean",
          "Matrices by what they do to their inputs, the rest by Fisher information or evenly",
          "W* = (Σ λᵢ Wᵢ Âᵢ) (Σ λᵢ Âᵢ)⁻¹, Âᵢ the Gram matrix of inputs, off its diagonal times α, + μI",
          "Jin et al., Dataless Knowledge Fusion by Merging Weights of Language Models, ICLR 2023,"
              + " arXiv 2212.09849",
          new MethodDescription.Inputs(
              MethodDescription.Models.SEVERAL,
              MethodDescription.Base.NONE,
              MethodDescription.Data.GRAMS),
          List.of(
              Parameter.weight(Range.NOT_NEGATIVE, "λ of each model"),
              Parameter.number("alpha", DEFAULT_ALPHA, Range.SHARE, "α"),
              Parameter.number(
                  "damping",
                  DEFAULT_DAMPING,
                  Range.POSITIVE,
                  "μ in shares of the mean of the diagonal"),
              Parameter.word(
                  "rest",
                  FISHER,
                  List.of(FISHER, LINEAR),
                  "what becomes of tensors without a Gram matrix"),
              Parameter.flag("normalize", true, "rest fisher: divide each Fisher by its norm"),
              Parameter.number(
                  "floor",
                  FisherMerge.DEFAULT_FLOOR,
                  Range.NOT_NEGATIVE,
                  "rest fisher: smallest Fisher value"),
              Parameter.flag("favor_first", false, "rest fisher: floor the first model only")),
          RegMeanMerge::of);

  public RegMeanMerge {
    weights = List.copyOf(weights);
  }

  static RegMeanMerge of(Values values) {
    List<Double> weights = values.perModel("weight");
    Weights.requireMean(weights, values.models());
    return new RegMeanMerge(
        weights, values.number("alpha"), values.number("damping"), rest(values));
  }

  private static MergeMethod rest(Values values) {
    if (values.word("rest").equals(FISHER)) {
      return FisherMerge.of(values);
    }
    for (String ofFisher : List.of("normalize", "floor", "favor_first")) {
      values.refuse(ofFisher, "where the rest is linear");
    }
    return new LinearMerge(values.perModel("weight"));
  }

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public MergeMethod withoutGram() {
    return rest;
  }

  @Override
  public Prepared prepare(Context context) {
    Weights.requireMean(weights, context.models());
    double[] lambda = Weights.normalized(weights, context.models());
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("weights", lambda);
    parameters.put("alpha", alpha);
    parameters.put("damping", damping);
    parameters.put("rest", rest.description().name());
    return new Prepared(
        new Arithmetic.OfMatrices(new RegressionMean(lambda, alpha, damping, context)), parameters);
  }
}
