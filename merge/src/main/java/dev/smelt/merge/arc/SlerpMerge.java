package dev.smelt.merge.arc;

import dev.smelt.merge.mean.Combination;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Spherical linear interpolation of two models, each tensor as one vector:
 *
 * <pre>  θ* = sin((1 − t)Ω)/sin Ω · θ₁ + sin(tΩ)/sin Ω · θ₂,   cos Ω = θ₁·θ₂ / (‖θ₁‖‖θ₂‖)</pre>
 *
 * <p>Where |cos Ω| &gt; 0.9995, or one of the two is zero, θ* = (1 − t)θ₁ + tθ₂: there the angle
 * says nothing. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985; the limit is
 * that of mergekit.
 *
 * @param t how far from the first model to the second, in [0, 1]
 */
public record SlerpMerge(double t) implements MergeMethod {

  public static final double DEFAULT_T = 0.5;

  private static final double PARALLEL = 0.9995;

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "slerp",
          "Two models, along the arc between each pair of tensors",
          "θ* = sin((1−t)Ω)/sin Ω θ₁ + sin(tΩ)/sin Ω θ₂, Ω the angle between θ₁ and θ₂",
          "Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985",
          new MethodDescription.Inputs(
              MethodDescription.Models.TWO,
              MethodDescription.Base.NONE,
              MethodDescription.Data.NONE),
          List.of(
              Parameter.number(
                  "t", DEFAULT_T, Range.SHARE, "how far from the first model to the second")),
          values -> new SlerpMerge(values.number("t")));

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("t", t);
    ChunkKernel straight = Combination.mean(List.of(1 - t, t), 2);
    ArcSurvey survey = new ArcSurvey(Vectors.WHOLE, false, this::mix, straight);
    return new Prepared(new Arithmetic.OfTensors(survey), parameters);
  }

  private Optional<double[]> mix(Angles angles) {
    boolean isFlat = angles.zeros() > 0 || Math.abs(angles.cosines()[0][1]) > PARALLEL;
    return isFlat ? Optional.empty() : Arc.mix(Math.acos(angles.cosines()[0][1]), t);
  }
}
