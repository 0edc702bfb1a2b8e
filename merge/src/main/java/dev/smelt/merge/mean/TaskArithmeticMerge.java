package dev.smelt.merge.mean;

import dev.smelt.formats.UsageException;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import dev.smelt.merge.method.Values;
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
          "θ* = θ₀ + λ Σ wᵢ (θᵢ − θ₀), θ₀ the base",
          "Ilharco et al., Editing models with task arithmetic, ICLR 2023, arXiv 2212.04089",
          MethodDescription.Inputs.CHANGES,
          List.of(
              Parameter.weight(Range.FINITE, "w of each model"),
              Parameter.number("lambda", DEFAULT_SCALE, Range.FINITE, "λ"),
              Parameter.flag("normalize", false, "divide the weights by their sum")),
          TaskArithmeticMerge::of);

  public TaskArithmeticMerge {
    weights = List.copyOf(weights);
  }

  static TaskArithmeticMerge of(Values values) {
    TaskArithmeticMerge merge =
        new TaskArithmeticMerge(
            values.perModel("weight"), values.number("lambda"), values.flag("normalize"));
    merge.requireSum(values.models());
    return merge;
  }

  private void requireSum(int models) {
    if (normalize && total(models).signum() == 0) {
      throw new UsageException("the weights sum to 0", "do not normalize them, or change them");
    }
  }

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    int models = context.models() - 1;
    requireSum(models);
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("weights", given(models));
    parameters.put("lambda", scale);
    parameters.put("normalize", normalize);
    return new Prepared(
        new Arithmetic.OfElements(Combination.mean(coefficients(models), models + 1)), parameters);
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
