package dev.smelt.merge.arc;

import dev.smelt.formats.UsageException;
import dev.smelt.merge.mean.Combination;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import dev.smelt.merge.method.Values;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Slerp with weights instead of t = w₂/(w₁ + w₂), of whole tensors or of their rows or columns, and
 * with a base of what two models changed of it:
 *
 * <pre>  θ* = θ₀ + sin((1 − t)Ω)/sin Ω · δ₁ + sin(tΩ)/sin Ω · δ₂,   cos Ω = δ₁·δ₂ / (‖δ₁‖‖δ₂‖)
 * </pre>
 *
 * <p>with δᵢ = θᵢ − θ₀, and θ₀ = 0 without a base. Where 1 − |cos Ω| ≤ 1e-12, or one of the two is
 * zero, θ* = (1 − t)θ₁ + tθ₂. The method is mergekit's; there the limit is a sine of 1e-8 in the
 * models' own type, and a vector of zeros is at a right angle to all others.
 *
 * <p>What mergekit calls row-wise are vectors along the first axis of a tensor as it is stored,
 * which are the rows of the matrix that multiplies from the right. In convolutions ours span all
 * other axes and not only the last one.
 *
 * @param weights w, one per model, whose sum is not 0
 * @param flatten whether a tensor is one vector
 * @param rowWise if not: whether vectors lie along the first axis, and not along the others
 * @param onBase whether the first operand is a base
 */
public record NuslerpMerge(List<Double> weights, boolean flatten, boolean rowWise, boolean onBase)
    implements MergeMethod {

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "nuslerp",
          "Slerp with weights, also of rows or columns and of changes of a base",
          "θ* = θ₀ + sin((1−t)Ω)/sin Ω δ₁ + sin(tΩ)/sin Ω δ₂, t = w₂/(w₁ + w₂), δᵢ = θᵢ − θ₀",
          "mergekit; Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985",
          new MethodDescription.Inputs(
              MethodDescription.Models.TWO,
              MethodDescription.Base.OPTIONAL,
              MethodDescription.Data.NONE),
          List.of(
              Parameter.weight(Range.FINITE, "w of each model"),
              Parameter.flag(
                  "nuslerp_flatten",
                  true,
                  "each tensor is one vector, and not its rows or columns"),
              Parameter.flag(
                  "nuslerp_row_wise",
                  false,
                  "vectors are the columns of a matrix as it is stored, and not its rows;"
                      + " without nuslerp_flatten")),
          NuslerpMerge::of);

  public NuslerpMerge {
    weights = List.copyOf(weights);
    if (total(weights).signum() == 0) {
      throw new UsageException("the weights sum to 0", "change them");
    }
    if (flatten && rowWise) {
      throw new UsageException(
          "nuslerp_row_wise has no effect on tensors taken as one vector",
          "turn nuslerp_flatten off");
    }
  }

  static NuslerpMerge of(Values values) {
    return new NuslerpMerge(
        values.perModel("weight"),
        values.flag("nuslerp_flatten"),
        values.flag("nuslerp_row_wise"),
        values.onBase());
  }

  private static BigDecimal total(List<Double> weights) {
    return weights.stream().map(BigDecimal::valueOf).reduce(BigDecimal.ZERO, BigDecimal::add);
  }

  /** As decimals have it: 0.4 of 0.6 and 0.4. */
  private double t() {
    return BigDecimal.valueOf(weights.get(1))
        .divide(total(weights), MathContext.DECIMAL64)
        .doubleValue();
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
    parameters.put("nuslerp_flatten", flatten);
    parameters.put("nuslerp_row_wise", rowWise);
    Vectors lines = rowWise ? Vectors.COLUMNS : Vectors.ROWS;
    ArcSurvey survey =
        new ArcSurvey(flatten ? Vectors.WHOLE : lines, onBase, this::mix, straight());
    return new Prepared(new Arithmetic.OfTensors(survey), parameters);
  }

  private ChunkKernel straight() {
    List<Double> all = new ArrayList<>();
    if (onBase) {
      all.add(0.0);
    }
    all.addAll(weights);
    return Combination.mean(all, all.size());
  }

  private Optional<double[]> mix(Angles angles) {
    double cosine = angles.cosines()[0][1];
    return angles.zeros() > 0 || !Angles.isAngle(cosine)
        ? Optional.empty()
        : Arc.mix(Math.acos(cosine), t());
  }
}
