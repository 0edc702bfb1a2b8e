package dev.smelt.gpu.training;

import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.PlainNetwork;
import dev.smelt.gpu.plain.TinyModel;
import java.util.List;
import java.util.Optional;

/** AdamW in f64 on gradients by central differences: the equations of the paper, nothing shared. */
final class PlainAdamW {

  /** Balances truncation (h²) against rounding (1e-16 / h): errors near 1e-10. */
  private static final double STEP = 1e-5;

  private final TinyModel model;
  private final Optional<TinyModel> teacher;
  private final TuneOptions options;

  PlainAdamW(TinyModel model, Optional<TinyModel> teacher, TuneOptions options) {
    this.model = model.copy();
    this.teacher = teacher;
    this.options = options;
  }

  TinyModel model() {
    return model;
  }

  /**
   * Every example in every step.
   *
   * @param rates η of each step
   * @return the objective before each step
   */
  double[] train(List<String> names, List<? extends Example> examples, double... rates) {
    double[][] m = zeros(names);
    double[][] v = zeros(names);
    double[] losses = new double[rates.length];
    boolean[][] held = held(names);
    for (int t = 1; t <= rates.length; t++) {
      losses[t - 1] = objective(examples);
      double[][] gradients = gradients(names, examples);
      double norm = 0;
      for (int p = 0; p < gradients.length; p++) {
        for (int i = 0; i < gradients[p].length; i++) {
          norm += held[p][i] ? 0 : gradients[p][i] * gradients[p][i];
        }
      }
      double shrink = Math.min(1, options.clip() / Math.sqrt(norm));
      for (int p = 0; p < gradients.length; p++) {
        double[] values = model.tensor(names.get(p)).values();
        for (int i = 0; i < values.length; i++) {
          if (held[p][i]) {
            continue;
          }
          double g = shrink * gradients[p][i];
          m[p][i] = options.beta1() * m[p][i] + (1 - options.beta1()) * g;
          v[p][i] = options.beta2() * v[p][i] + (1 - options.beta2()) * g * g;
          double mean = m[p][i] / (1 - Math.pow(options.beta1(), t));
          double square = v[p][i] / (1 - Math.pow(options.beta2(), t));
          values[i] -=
              rates[t - 1]
                  * (mean / (Math.sqrt(square) + options.epsilon())
                      + options.weightDecay() * values[i]);
        }
      }
    }
    return losses;
  }

  /** Which elements never change. */
  private boolean[][] held(List<String> names) {
    boolean[][] held = new boolean[names.size()][];
    for (int p = 0; p < held.length; p++) {
      double[] values = model.tensor(names.get(p)).values();
      held[p] = new boolean[values.length];
      for (int i = 0; i < values.length; i++) {
        held[p][i] = options.holdsZeros() && values[i] == 0;
      }
    }
    return held;
  }

  private double[][] zeros(List<String> names) {
    double[][] zeros = new double[names.size()][];
    for (int p = 0; p < zeros.length; p++) {
      zeros[p] = new double[model.tensor(names.get(p)).values().length];
    }
    return zeros;
  }

  private double[][] gradients(List<String> names, List<? extends Example> examples) {
    double[][] gradients = zeros(names);
    for (int p = 0; p < gradients.length; p++) {
      double[] values = model.tensor(names.get(p)).values();
      for (int i = 0; i < values.length; i++) {
        double kept = values[i];
        values[i] = kept + STEP;
        double above = objective(examples);
        values[i] = kept - STEP;
        double below = objective(examples);
        values[i] = kept;
        gradients[p][i] = (above - below) / (2 * STEP);
      }
    }
    return gradients;
  }

  /** The mean over predictions of −log p of the label, mixed with Σ q log(q / p). */
  private double objective(List<? extends Example> examples) {
    double sum = 0;
    int count = 0;
    double w = teacher.isPresent() ? options.distillation() : 0;
    for (Example example : examples) {
      double[][] logP = PlainNetwork.logProbabilities(model, example);
      Optional<double[][]> logQ =
          teacher.map(network -> PlainNetwork.logProbabilities(network, example));
      int[] targets = targets(example);
      for (int t = 0; t < targets.length; t++) {
        if (targets[t] < 0) {
          continue;
        }
        count++;
        sum -= (1 - w) * logP[t][targets[t]];
        for (int c = 0; c < logP[t].length && logQ.isPresent(); c++) {
          double q = logQ.get()[t][c];
          sum += w * Math.exp(q) * (q - logP[t][c]);
        }
      }
    }
    return sum / count;
  }

  private static int[] targets(Example example) {
    return switch (example) {
      case Example.Sequence sequence -> sequence.targets();
      case Example.Values values -> new int[] {values.label()};
    };
  }
}
