package dev.smelt.gpu.plain;

import dev.smelt.gpu.data.Example;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Diagonal Fisher information by central differences, one example and one parameter at a time. */
public final class PlainFisher {

  /** Balances truncation (h²) against rounding (1e-16 / h): errors near 1e-10. */
  private static final double STEP = 1e-5;

  private PlainFisher() {}

  /** Σ over examples of (∂ log p(y|x) / ∂θ)² / N, y the label or the tokens to predict. */
  public static Map<String, double[]> empirical(TinyModel model, List<? extends Example> examples) {
    return empirical(model, UnaryOperator.identity(), examples);
  }

  /**
   * Likewise, of the tensors that are stored.
   *
   * @param dense gives the model that is stored in such a way
   */
  public static Map<String, double[]> empirical(
      TinyModel stored, UnaryOperator<TinyModel> dense, List<? extends Example> examples) {
    return mean(
        stored,
        dense,
        examples,
        (example, gradients) -> {
          double sum = 0;
          for (int t = 0; t < gradients.length; t++) {
            sum += target(example, t) < 0 ? 0 : gradients[t][target(example, t)];
          }
          return sum * sum;
        });
  }

  /** Σ over examples and classes of p(c|x) (∂ log p(c|x) / ∂θ)² / N, for one prediction each. */
  public static Map<String, double[]> expected(TinyModel model, List<? extends Example> examples) {
    return mean(
        model,
        UnaryOperator.identity(),
        examples,
        (example, gradients) -> {
          double[] logs = PlainNetwork.logProbabilities(model, example)[0];
          double sum = 0;
          for (int c = 0; c < logs.length; c++) {
            sum += Math.exp(logs[c]) * gradients[0][c] * gradients[0][c];
          }
          return sum;
        });
  }

  /** log p of the label or of the tokens to predict. */
  public static double logLikelihood(TinyModel model, Example example) {
    double[][] logs = PlainNetwork.logProbabilities(model, example);
    double sum = 0;
    for (int t = 0; t < logs.length; t++) {
      sum += target(example, t) < 0 ? 0 : logs[t][target(example, t)];
    }
    return sum;
  }

  /** Negative where there is none. */
  private static int target(Example example, int t) {
    return switch (example) {
      case Example.Sequence sequence -> sequence.targets()[t];
      case Example.Values values -> values.label();
    };
  }

  /** Of the gradients [T][classes] of all log-probabilities to one parameter. */
  private interface Square {
    double of(Example example, double[][] gradients);
  }

  private static Map<String, double[]> mean(
      TinyModel model,
      UnaryOperator<TinyModel> dense,
      List<? extends Example> examples,
      Square square) {
    TinyModel changed = model.copy();
    Map<String, double[]> fisher = new LinkedHashMap<>();
    model
        .tensors()
        .forEach(
            (name, tensor) -> {
              double[] diagonal = new double[tensor.values().length];
              double[] values = changed.tensor(name).values();
              for (int i = 0; i < diagonal.length; i++) {
                double kept = values[i];
                for (Example example : examples) {
                  values[i] = kept + STEP;
                  double[][] above = PlainNetwork.logProbabilities(dense.apply(changed), example);
                  values[i] = kept - STEP;
                  double[][] below = PlainNetwork.logProbabilities(dense.apply(changed), example);
                  values[i] = kept;
                  diagonal[i] += square.of(example, slope(above, below)) / examples.size();
                }
              }
              fisher.put(name, diagonal);
            });
    return fisher;
  }

  private static double[][] slope(double[][] above, double[][] below) {
    for (int t = 0; t < above.length; t++) {
      for (int c = 0; c < above[t].length; c++) {
        above[t][c] = (above[t][c] - below[t][c]) / (2 * STEP);
      }
    }
    return above;
  }
}
