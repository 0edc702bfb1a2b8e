package dev.smelt.merge.mean;

import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One model as it is, or scaled: θ* = sθ. With s = 1 every bit stays, else the exact product is
 * rounded once.
 *
 * @param scale s, finite
 */
public record PassthroughMerge(double scale) implements MergeMethod {

  public static final double DEFAULT_SCALE = 1;

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "passthrough",
          "One model as it is, for models put together from parts",
          "θ* = s θ",
          "mergekit",
          new MethodDescription.Inputs(
              MethodDescription.Models.ONE,
              MethodDescription.Base.NONE,
              MethodDescription.Data.NONE),
          List.of(Parameter.number("scale", DEFAULT_SCALE, Range.FINITE, "s")),
          values -> new PassthroughMerge(values.number("scale")));

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("scale", scale);
    return new Prepared(
        new Arithmetic.OfElements(Combination.sum(List.of(BigDecimal.valueOf(scale)))), parameters);
  }
}
