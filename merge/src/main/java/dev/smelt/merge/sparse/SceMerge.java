package dev.smelt.merge.sparse;

import dev.smelt.merge.method.Chunk;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.MethodDescription.Base;
import dev.smelt.merge.method.MethodDescription.Data;
import dev.smelt.merge.method.MethodDescription.Models;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import dev.smelt.merge.sparse.Blend.Divisor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Select, calculate, erase: of what models changed of a base, δᵢ = θᵢ − θ₀, the elements in which
 * they differ most are selected; each tensor of a model has the weight wᵢ, the mean of δᵢ² over
 * what is selected; and only those count in an element whose δᵢ has the sign of Σ δᵢ (where that is
 * 0, the positive one):
 *
 * <pre>  θ* = θ₀ + Σ wᵢδᵢ / Σ wᵢ</pre>
 *
 * <p>Selected are the ⌊τm⌋ elements of the largest variance over models, m being how many there are
 * in which models differ at all; of equal variances those that come first; with τ = 1 all elements,
 * those without a variance too. Wan et al., "FuseChat: Knowledge Fusion of Chat Models", 2024,
 * arXiv 2408.07990.
 *
 * @param selectTopk τ, in [0, 1]
 */
public record SceMerge(double selectTopk) implements MergeMethod {

  public static final MethodDescription DESCRIPTION =
      new MethodDescription(
          "sce",
          "A base model and what others changed of it, where they differ most and most of them"
              + " agree on the direction",
          "θ* = θ₀ + Σ wᵢδᵢ / Σ wᵢ over the models whose δᵢ = θᵢ − θ₀ has the sign of their sum,"
              + " where the variance of δᵢ over models is large; wᵢ the mean of δᵢ² there",
          "Wan et al., FuseChat: Knowledge Fusion of Chat Models, 2024, arXiv 2408.07990",
          new MethodDescription.Inputs(Models.SEVERAL, Base.REQUIRED, Data.NONE),
          List.of(
              Parameter.number(
                  "select_topk",
                  1,
                  Range.SHARE,
                  "share of the elements in which models differ that is taken over from them")),
          values -> new SceMerge(values.number("select_topk")));

  @Override
  public MethodDescription description() {
    return DESCRIPTION;
  }

  @Override
  public Prepared prepare(Context context) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", DESCRIPTION.name());
    parameters.put("select_topk", selectTopk);
    return new Prepared(new Arithmetic.OfTensors(this::kernel), parameters);
  }

  private ChunkKernel kernel(Operands tensor) {
    List<Operand> models = tensor.theta().subList(1, tensor.theta().size());
    double unit = unit(tensor);
    Variances variances = new Variances(models, unit);
    Selected selected = new Selected(selectTopk < 1 ? cut(variances) : Cut.EVERYTHING, unit);
    double[] weights = weights(tensor, selected);
    double[] votes = new double[models.size()];
    Arrays.fill(votes, 1);
    return new Blend(
        new Coefficients(weights, votes, weights, 1), true, Divisor.COUNTED, false, selected);
  }

  /** The power of two of the largest value; refuses what is not finite. */
  private static double unit(Operands tensor) {
    double largest = 0;
    double[] chunk = chunk(tensor);
    for (Operand operand : tensor.theta()) {
      for (long at = 0; at < tensor.output().elements(); at += chunk.length) {
        int count = (int) Math.min(chunk.length, tensor.output().elements() - at);
        operand.view().read(at, count, chunk);
        double ofChunk = 0;
        for (int k = 0; k < count; k++) {
          ofChunk = Math.max(ofChunk, Math.abs(chunk[k]));
        }
        if (!Double.isFinite(ofChunk)) {
          Changes.requireFinite(operand, at, count);
        }
        largest = Math.max(largest, ofChunk);
      }
    }
    // The inverse is to be a number as well.
    return Math.scalb(1.0, Math.clamp(Math.getExponent(largest), -1000, 1000));
  }

  private static double[] chunk(Operands tensor) {
    return new double[(int) Math.min(Largest.CHUNK, tensor.output().elements())];
  }

  private Cut cut(Variances variances) {
    double[] chunk = new double[(int) Math.min(Largest.CHUNK, variances.elements())];
    long different = 0;
    for (long at = 0; at < variances.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, variances.elements() - at);
      variances.read(at, count, chunk);
      for (int k = 0; k < count; k++) {
        different += chunk[k] > 0 ? 1 : 0;
      }
    }
    return Largest.of(variances, Shares.of(selectTopk, different));
  }

  /**
   * Σ δᵢ² over what is selected, of all models divided by the same number; equal where all are 0.
   */
  private static double[] weights(Operands tensor, Selected selected) {
    int models = tensor.theta().size() - 1;
    double[] weights = new double[models];
    double[][] theta = new double[models + 1][chunk(tensor).length];
    double[][] factors = new double[models][theta[0].length];
    for (long at = 0; at < tensor.output().elements(); at += theta[0].length) {
      int count = (int) Math.min(theta[0].length, tensor.output().elements() - at);
      for (int i = 0; i <= models; i++) {
        tensor.theta().get(i).view().read(at, count, theta[i]);
      }
      selected.fill(new Chunk(theta, new double[0][], at, count), 0, count, factors);
      for (int i = 0; i < models; i++) {
        weights[i] += squares(theta[0], theta[i + 1], factors[i], count, 1 / selected.unit());
      }
    }
    if (Arrays.stream(weights).sum() == 0) {
      Arrays.fill(weights, 1);
    }
    return weights;
  }

  private static double squares(
      double[] base, double[] theta, double[] factors, int count, double inverse) {
    double sum = 0;
    for (int k = 0; k < count; k++) {
      double change = factors[k] * (theta[k] * inverse - base[k] * inverse);
      sum += change * change;
    }
    return sum;
  }

  /** What is selected, the same of all models. */
  private record Selected(Cut cut, double unit) implements Thinner {

    @Override
    public void fill(Chunk chunk, int at, int count, double[][] factors) {
      if (cut.equals(Cut.EVERYTHING)) {
        for (double[] factor : factors) {
          Arrays.fill(factor, 0, count, 1);
        }
        return;
      }
      double[][] theta = new double[factors.length][];
      Arrays.setAll(theta, i -> Arrays.copyOfRange(chunk.theta()[i + 1], at, at + count));
      Variances.of(theta, count, unit, factors[0]);
      cut.above(chunk.first() + at, count, factors[0]);
      for (int i = 1; i < factors.length; i++) {
        System.arraycopy(factors[0], 0, factors[i], 0, count);
      }
    }
  }
}
