package dev.smelt.merge.arc;

import dev.smelt.merge.mean.Combination;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The average of N models, drawn towards their base as far as they disagree:
 *
 * <pre>  θ* = t · mean θᵢ + (1 − t) θ₀,   t = Nc / (1 + (N − 1)c)</pre>
 *
 * <p>with c the mean over all pairs of the cosine between what the two changed of the base θ₀, for
 * each tensor or each of its rows; 0 where one changed nothing. Jang, Yun and Han, "Model Stock:
 * All we need is just a few fine-tuned models", ECCV 2024, arXiv 2403.19522, whose t is for equal
 * angles.
 *
 * <p>Changes of equal length d around a common one of length a, and else at right angles, have c =
 * a²/d², and this t leads to the point nearest to the common change. Of chance c may come out
 * negative, which a²/d² is not: then t = 0. Mergekit takes negative t as they come, without bounds
 * as c approaches −1/(N − 1). It also takes ‖δᵢ‖‖δⱼ‖ to be 1e-6 at least, so that small changes are
 * thrown away whatever their angle, and the rows of a convolution to be those of its last axis;
 * here a filter spans all axes but the first.
 *
 * @param filterWise whether rows have a t of their own; not those of tensors with a single axis
 */
public record ModelStockMerge(boolean filterWise) implements MergeMethod {

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "model_stock",
          "Average of several models, drawn towards their base as far as they disagree",
          "θ* = t mean θᵢ + (1−t) θ₀, t = Nc/(1+(N−1)c), c the mean cosine between changes of θ₀",
          "Jang et al., Model Stock, ECCV 2024, arXiv 2403.19522",
          new MethodDescription.Inputs(
              MethodDescription.Models.SEVERAL,
              MethodDescription.Base.REQUIRED,
              MethodDescription.Data.NONE),
          List.of(
              Parameter.flag("filter_wise", false, "a t for each row, and not for each tensor")),
          values -> new ModelStockMerge(values.flag("filter_wise")));

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("filter_wise", filterWise);
    ArcSurvey survey =
        new ArcSurvey(
            filterWise ? Vectors.ROWS : Vectors.WHOLE,
            true,
            ModelStockMerge::mix,
            average(context.models() - 1));
    return new Prepared(new Arithmetic.OfTensors(survey), parameters);
  }

  private static ChunkKernel average(int models) {
    List<Double> weights = new ArrayList<>(List.of(0.0));
    weights.addAll(Collections.nCopies(models, 1.0));
    return Combination.mean(weights, models + 1);
  }

  /** None where all changed the same way: t = 1. */
  private static Optional<double[]> mix(Angles angles) {
    int n = angles.count();
    double[] coefficients = new double[n];
    Arrays.fill(coefficients, 1.0 / n);
    if (angles.isParallel(coefficients) && angles.zeros() == 0) {
      return Optional.empty();
    }
    double sum = 0;
    for (int j = 0; j < n; j++) {
      for (int i = 0; i < j; i++) {
        sum += angles.cosines()[i][j];
      }
    }
    double pairs = n * (n - 1.0) / 2;
    double c = Math.max(0, sum / pairs);
    Arrays.fill(coefficients, c / (1 + (n - 1) * c));
    return Optional.of(coefficients);
  }
}
