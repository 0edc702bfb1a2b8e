package dev.smelt.merge.mean;

import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import dev.smelt.merge.method.Values;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Fisher-weighted average, per parameter θ* = Σ cᵢFᵢθᵢ / Σ cᵢFᵢ.
 *
 * <p>cᵢ = λᵢ/‖Fᵢ‖₂ with the norm over all merged parameters of model i, or λᵢ without
 * normalisation; Fᵢ is floored at {@code floor} before it is weighted. Where the denominator is
 * zero the result is Σ λᵢθᵢ. Equal models give that model bit for bit. Matena and Raffel, "Merging
 * Models with Fisher-Weighted Averaging", NeurIPS 2022, arXiv 2111.09832; the floor and the norm
 * are those of their code.
 *
 * @param weights λ, one per model in any scale; empty for equal ones
 * @param normalize divide each model's Fisher by its norm, so that models measured on other data or
 *     with other losses count alike
 * @param floor smallest Fisher value; keeps parameters that no data touched from being decided by
 *     rounding
 * @param favorFirst floor the first model only, so that it decides where nothing else does
 */
public record FisherMerge(List<Double> weights, boolean normalize, double floor, boolean favorFirst)
    implements MergeMethod {

  public static final double DEFAULT_FLOOR = 1e-6;

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "fisher",
          "Average in which every parameter counts by its Fisher information",
          "θ* = Σ cᵢ Fᵢ θᵢ / Σ cᵢ Fᵢ, cᵢ = λᵢ / ‖Fᵢ‖₂",
          "Matena and Raffel, Merging Models with Fisher-Weighted Averaging, NeurIPS 2022,"
              + " arXiv 2111.09832",
          new MethodDescription.Inputs(
              MethodDescription.Models.SEVERAL,
              MethodDescription.Base.NONE,
              MethodDescription.Data.FISHER),
          List.of(
              Parameter.weight(Range.NOT_NEGATIVE, "λ of each model"),
              Parameter.flag("normalize", true, "divide each model's Fisher by its norm"),
              Parameter.number("floor", DEFAULT_FLOOR, Range.NOT_NEGATIVE, "smallest Fisher value"),
              Parameter.flag("favor_first", false, "floor the first model only")),
          FisherMerge::of);

  public FisherMerge {
    weights = List.copyOf(weights);
  }

  static FisherMerge of(Values values) {
    List<Double> weights = values.perModel("weight");
    Weights.requireMean(weights, values.models());
    return new FisherMerge(
        weights, values.flag("normalize"), values.number("floor"), values.flag("favor_first"));
  }

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Weights.requireMean(weights, context.models());
    double[] lambda = Weights.ratio(weights, context.models());
    double[] coefficients = lambda.clone();
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("weights", Weights.normalized(weights, lambda.length));
    parameters.put("normalize", normalize);
    parameters.put("floor", floor);
    parameters.put("favorFirst", favorFirst);
    if (normalize) {
      double[] norms = new double[lambda.length];
      for (int i = 0; i < norms.length; i++) {
        norms[i] = context.fisherNorm(i);
        // An all-zero Fisher says nothing of its model; only the floor speaks for it.
        coefficients[i] = norms[i] == 0 ? lambda[i] : lambda[i] / norms[i];
      }
      parameters.put("fisherNorms", norms);
    }
    return new Prepared(
        new Arithmetic.OfElements((chunk, merged) -> merge(lambda, coefficients, chunk, merged)),
        parameters);
  }

  private void merge(double[] lambda, double[] coefficients, Chunk chunk, double[] merged) {
    Mean mean = new Mean(lambda);
    for (int at = 0; at < chunk.count(); at += Mean.BLOCK) {
      int length = Math.min(Mean.BLOCK, chunk.count() - at);
      for (int i = 0; i < lambda.length; i++) {
        double least = i == 0 || !favorFirst ? floor : 0;
        weigh(coefficients[i], chunk.fisher()[i], least, at, length, mean.weights(i));
      }
      mean.of(chunk.theta(), at, length, merged);
    }
  }

  private static void weigh(
      double coefficient, double[] fisher, double least, int at, int count, double[] weights) {
    for (int k = 0; k < count; k++) {
      weights[k] = coefficient * Math.max(fisher[at + k], least);
    }
  }
}
