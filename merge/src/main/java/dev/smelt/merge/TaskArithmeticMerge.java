package dev.smelt.merge;

import dev.smelt.formats.UsageException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A base model and what others changed of it, θ* = θ₀ + λ Σ wᵢ(θᵢ − θ₀).
 *
 * <p>It is computed as (1 − λΣwᵢ)θ₀ + λΣwᵢθᵢ, which loses no digits of small values to large ones
 * of the base: w = 1 of one model gives that model bit for bit, and so do equal models. Ilharco et
 * al., "Editing models with task arithmetic", ICLR 2023, arXiv 2212.04089.
 *
 * @param weights w, one per model but the base, negative ones too; empty: each 1
 * @param scale λ, finite
 * @param normalize divide w by their sum
 */
public record TaskArithmeticMerge(List<Double> weights, double scale, boolean normalize)
    implements MergeMethod {

  public static final double DEFAULT_SCALE = 1;

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "task_arithmetic",
          "A base model and the sum of what others changed of it",
          "θ* = θ₀ + λ Σ wᵢ (θᵢ − θ₀), θ₀ of --base",
          "Ilharco et al., Editing models with task arithmetic, ICLR 2023, arXiv 2212.04089",
          List.of(
              new MethodDescription.Parameter(
                  "--base", "θ₀; names, config and tokenizer are its", "a model", "none"),
              new MethodDescription.Parameter(
                  "--weight", "w of each model, as it is", "finite", "1"),
              new MethodDescription.Parameter(
                  "--lambda", "λ", "finite", Double.toString(DEFAULT_SCALE)),
              new MethodDescription.Parameter(
                  "--normalize", "divide the weights by their sum", "flag", "off")));

  public TaskArithmeticMerge {
    weights = List.copyOf(weights);
    for (double weight : weights) {
      if (!Double.isFinite(weight)) {
        throw new UsageException("--weight " + weight + " is out of range", "use finite numbers");
      }
    }
    if (!Double.isFinite(scale)) {
      throw new UsageException("--lambda " + scale + " is out of range", "use a finite number");
    }
  }

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public boolean usesBase() {
    return true;
  }

  @Override
  public void requireModels(int models) {
    if (!weights.isEmpty() && weights.size() != models - 1) {
      throw new UsageException(
          weights.size() + " weights for " + (models - 1) + " models beside the base",
          "give --weight once per model, in order");
    }
    if (normalize && total(models - 1).signum() == 0) {
      throw new UsageException("the weights sum to 0", "leave out --normalize, or change them");
    }
  }

  @Override
  public Prepared prepare(MergePlan plan, int threads) {
    int models = plan.models().size();
    requireModels(models);
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("weights", given(models - 1));
    parameters.put("lambda", scale);
    parameters.put("normalize", normalize);
    LinearMerge combination = new LinearMerge(coefficients(models - 1));
    return new Prepared(new Arithmetic.OfElements(combination.kernel(models)), parameters);
  }

  private List<Double> given(int models) {
    return weights.isEmpty() ? Collections.nCopies(models, 1.0) : weights;
  }

  private BigDecimal total(int models) {
    return given(models).stream().map(BigDecimal::valueOf).reduce(BigDecimal.ZERO, BigDecimal::add);
  }

  /** Of the base and the models, as decimals have them: 1 − 0.7 is 0.3. They sum to 1. */
  private List<Double> coefficients(int models) {
    List<BigDecimal> ofModels = new ArrayList<>();
    for (double weight : given(models)) {
      BigDecimal scaled = BigDecimal.valueOf(weight).multiply(BigDecimal.valueOf(scale));
      ofModels.add(normalize ? scaled.divide(total(models), MathContext.DECIMAL64) : scaled);
    }
    BigDecimal ofBase = ofModels.stream().reduce(BigDecimal.ONE, BigDecimal::subtract);
    List<Double> all = new ArrayList<>();
    all.add(ofBase.doubleValue());
    ofModels.forEach(coefficient -> all.add(coefficient.doubleValue()));
    return all;
  }
}
