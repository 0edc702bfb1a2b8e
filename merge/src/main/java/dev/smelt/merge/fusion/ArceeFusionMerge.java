package dev.smelt.merge.fusion;

import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Operands;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A base with a model's values where they are important:
 *
 * <pre>  θ* = θ where s ≥ median(s) + 1.5 (Q₃(s) − Q₁(s)), else θ₀
 *   s = |θ − θ₀| · KL(softmax θ ‖ softmax θ₀)</pre>
 *
 * <p>with softmax and KL along the last axis, and the quantiles of all s of a tensor: of n sorted
 * ones those at ⌊q(n − 1)⌋, counted from 0. Where more than three quarters of a tensor did not
 * change, all three are 0, and θ* = θ.
 *
 * <p>The method is mergekit's. There quantiles of more than a million scores are those of a random
 * sample, so that results differ from run to run; probabilities are raised by 1e-8; and scores are
 * computed in the models' own type, in which KL of nearby models is mostly rounding. Here they are
 * exact but for f64.
 */
public record ArceeFusionMerge() implements MergeMethod {

  /** Interquartile ranges above the median at which importance begins. */
  private static final double RANGES = 1.5;

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "arcee_fusion",
          "A base with a model's values where they are important",
          "θ* = θ where s >= median + 1.5 (Q₃ − Q₁) of s, else θ₀;"
              + " s = |θ − θ₀| KL(softmax θ ‖ softmax θ₀) by rows",
          "Arcee AI, arcee.ai; mergekit",
          new MethodDescription.Inputs(
              MethodDescription.Models.ONE,
              MethodDescription.Base.REQUIRED,
              MethodDescription.Data.NONE),
          List.of(),
          _ -> new ArceeFusionMerge());

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    return new Prepared(new Arithmetic.OfTensors(ArceeFusionMerge::survey), parameters);
  }

  private static ChunkKernel survey(Operands tensor) {
    Importance importance = Importance.of(tensor);
    long last = tensor.output().elements() - 1;
    // Of nothing there are no quantiles, and nothing will be merged.
    double threshold = last < 0 ? 0 : threshold(importance, last);
    return (chunk, merged) -> merge(importance, threshold, chunk, merged);
  }

  private static double threshold(Importance importance, long last) {
    // Without products, which might be beyond a long.
    long quarter = last / 4;
    long threeQuarters = last - last / 4 - (last % 4 == 0 ? 0 : 1);
    double[] quantiles =
        new OrderStatistics(importance::read, last + 1).of(quarter, last / 2, threeQuarters);
    return quantiles[1] + RANGES * (quantiles[2] - quantiles[0]);
  }

  private static void merge(Importance importance, double threshold, Chunk chunk, double[] merged) {
    double[] base = chunk.theta()[0];
    double[] model = chunk.theta()[1];
    importance.score(base, model, chunk.first(), chunk.count(), merged);
    for (int k = 0; k < chunk.count(); k++) {
      merged[k] = merged[k] >= threshold ? model[k] : base[k];
    }
  }
}
