package dev.smelt.merge.arc;

import dev.smelt.formats.UsageException;
import dev.smelt.merge.mean.Combination;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import dev.smelt.merge.method.Values;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The mean direction of several models at their mean length, each tensor as one vector, with a base
 * of what they changed of it:
 *
 * <pre>  θ* = θ₀ + Σ wᵢ‖δᵢ‖ · m/‖m‖,   m = Σ wᵢuᵢ,   uᵢ = δᵢ/‖δᵢ‖</pre>
 *
 * <p>with δᵢ = θᵢ − θ₀, and θ₀ = 0 without a base. The method is mergekit's, which goes on from
 * m/‖m‖ along the sphere by Σ wᵢ(uᵢ − (uᵢ·m)m/‖m‖²): a sum that is zero, since Σ wᵢuᵢ is m. So that
 * step is left out here; for the mean along the sphere see {@link KarcherMerge}.
 *
 * <p>Where ‖m‖ is below ε, all δᵢ are parallel, or all are zero, θ* = θ₀ + Σ wᵢδᵢ; mergekit refuses
 * more than two models then. It also adds ε to every ‖δᵢ‖, which shortens small tensors. Rounding
 * makes ε less than 1e-6 Σ|wᵢ| mean that much.
 *
 * @param weights w, one per model
 * @param normalize scale them to sum to one
 * @param eps ε
 * @param onBase whether the first operand is a base
 */
public record MultislerpMerge(List<Double> weights, boolean normalize, double eps, boolean onBase)
    implements MergeMethod {

  public static final double DEFAULT_EPS = 1e-8;

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "multislerp",
          "Mean direction of several models, also of changes of a base",
          "θ* = θ₀ + Σ wᵢ‖δᵢ‖ m/‖m‖, m = Σ wᵢ δᵢ/‖δᵢ‖, δᵢ = θᵢ − θ₀",
          "Goddard, goddard.blog/posts/multislerp-wow-what-a-cool-idea",
          new MethodDescription.Inputs(
              MethodDescription.Models.SEVERAL,
              MethodDescription.Base.OPTIONAL,
              MethodDescription.Data.NONE),
          List.of(
              Parameter.weight(Range.FINITE, "w of each model"),
              Parameter.flag("normalize_weights", true, "scale the weights to sum to one"),
              Parameter.number(
                  "eps", DEFAULT_EPS, Range.NOT_NEGATIVE, "below this ‖m‖ the mean is taken")),
          MultislerpMerge::of);

  public MultislerpMerge {
    weights = List.copyOf(weights);
    if (normalize && total(weights).signum() == 0) {
      throw new UsageException("the weights sum to 0", "do not normalize them, or change them");
    }
  }

  static MultislerpMerge of(Values values) {
    return new MultislerpMerge(
        values.perModel("weight"),
        values.flag("normalize_weights"),
        values.number("eps"),
        values.onBase());
  }

  private static BigDecimal total(List<Double> weights) {
    return weights.stream().map(BigDecimal::valueOf).reduce(BigDecimal.ZERO, BigDecimal::add);
  }

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("weights", weights);
    parameters.put("normalize_weights", normalize);
    parameters.put("eps", eps);
    ArcSurvey survey = new ArcSurvey(Vectors.WHOLE, onBase, this::mix, straight());
    return new Prepared(new Arithmetic.OfTensors(survey), parameters);
  }

  private ChunkKernel straight() {
    List<BigDecimal> coefficients = weights.stream().map(BigDecimal::valueOf).toList();
    if (!normalize && !onBase) {
      return Combination.sum(coefficients);
    }
    List<Double> all = new ArrayList<>();
    if (onBase) {
      BigDecimal rest = normalize ? BigDecimal.ZERO : BigDecimal.ONE.subtract(total(weights));
      all.add(rest.doubleValue());
    }
    all.addAll(weights);
    return Combination.mean(all, all.size());
  }

  private Optional<double[]> mix(Angles angles) {
    double scale = normalize ? total(weights).doubleValue() : 1;
    double[] w = weights.stream().mapToDouble(weight -> weight / scale).toArray();
    double norm = angles.norm(w);
    return angles.isParallel(w) || angles.cancel(w) || norm < eps
        ? Optional.empty()
        : Optional.of(angles.ofVectors(w, angles.length(w) / norm));
  }
}
