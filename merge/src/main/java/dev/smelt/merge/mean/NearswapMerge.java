package dev.smelt.merge.mean;

import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The first of two models, moved towards the second one, by at most t in each element:
 *
 * <pre>  θ* = θ₁ + min(1, t/|θ₂ − θ₁|) (θ₂ − θ₁)</pre>
 *
 * <p>So it is θ₂ where the two are within t of each other, and θ₁ ± t elsewhere; computed as that,
 * the former is exact. From the model QuartetAnemoi-70B-t0.0001 by alchemonaut, whose t is the
 * default here; mergekit has none and calls the first model the base.
 *
 * @param t in units of the weights, positive
 */
public record NearswapMerge(double t) implements MergeMethod {

  public static final double DEFAULT_T = 1e-4;

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "nearswap",
          "The first model, with the second one's values where they are near",
          "θ* = θ₁ + min(1, t/|θ₂ − θ₁|) (θ₂ − θ₁)",
          "alchemonaut, QuartetAnemoi-70B-t0.0001, huggingface.co",
          new MethodDescription.Inputs(
              MethodDescription.Models.TWO,
              MethodDescription.Base.NONE,
              MethodDescription.Data.NONE),
          List.of(
              Parameter.number(
                  "t", DEFAULT_T, Range.POSITIVE, "how far a weight of the first model may move")),
          values -> new NearswapMerge(values.number("t")));

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("t", t);
    return new Prepared(new Arithmetic.OfElements(this::merge), parameters);
  }

  private void merge(Chunk chunk, double[] merged) {
    double[] first = chunk.theta()[0];
    double[] second = chunk.theta()[1];
    for (int k = 0; k < chunk.count(); k++) {
      double way = second[k] - first[k];
      if (way == 0) {
        // Zeros keep the sign that the first model gives them.
        merged[k] = first[k];
      } else {
        merged[k] = Math.abs(way) <= t ? second[k] : first[k] + Math.copySign(t, way);
      }
    }
  }
}
