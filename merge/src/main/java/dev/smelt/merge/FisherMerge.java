package dev.smelt.merge;

import dev.smelt.formats.UsageException;
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
          List.of(
              new MethodDescription.Parameter(
                  "--fisher", "statistics file of each model, in order", "one per model", "none"),
              new MethodDescription.Parameter(
                  "--weight",
                  "λ of each model, scaled to sum to one",
                  ">= 0, positive sum",
                  "equal"),
              new MethodDescription.Parameter(
                  "--no-normalize", "use cᵢ = λᵢ", "flag", "off: cᵢ = λᵢ / ‖Fᵢ‖₂"),
              new MethodDescription.Parameter(
                  "--floor", "smallest Fisher value", ">= 0", Double.toString(DEFAULT_FLOOR)),
              new MethodDescription.Parameter(
                  "--favor-first", "floor the first model only", "flag", "off"),
              new MethodDescription.Parameter(
                  "--any-model", "accept statistics of another model", "flag", "off")));

  public FisherMerge {
    weights = List.copyOf(weights);
    if (!(floor >= 0) || Double.isInfinite(floor)) {
      throw new UsageException("--floor " + floor + " is out of range", "use a finite number >= 0");
    }
  }

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public boolean usesFisher() {
    return true;
  }

  @Override
  public void requireModels(int models) {
    Weights.require(weights, models, false);
  }

  @Override
  public Prepared prepare(MergePlan plan, int threads) {
    requireModels(plan.models().size());
    double[] lambda = Weights.ratio(weights, plan.models().size());
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
        norms[i] = FisherNorm.of(plan, i, threads);
        // An all-zero Fisher says nothing of its model; only the floor speaks for it.
        coefficients[i] = norms[i] == 0 ? lambda[i] : lambda[i] / norms[i];
      }
      parameters.put("fisherNorms", norms);
    }
    ChunkKernel kernel =
        (theta, fisher, count, merged) -> merge(lambda, coefficients, theta, fisher, count, merged);
    return new Prepared(new Arithmetic.OfElements(kernel), parameters);
  }

  private void merge(
      double[] lambda,
      double[] coefficients,
      double[][] theta,
      double[][] fisher,
      int count,
      double[] merged) {
    Mean mean = new Mean(lambda);
    for (int at = 0; at < count; at += Mean.BLOCK) {
      int length = Math.min(Mean.BLOCK, count - at);
      for (int i = 0; i < lambda.length; i++) {
        boolean floored = i == 0 || !favorFirst;
        weigh(coefficients[i], fisher[i], floored ? floor : 0, at, length, mean.weights(i));
      }
      mean.of(theta, at, length, merged);
    }
  }

  private static void weigh(
      double coefficient, double[] fisher, double least, int at, int count, double[] weights) {
    for (int k = 0; k < count; k++) {
      weights[k] = coefficient * Math.max(fisher[at + k], least);
    }
  }
}
