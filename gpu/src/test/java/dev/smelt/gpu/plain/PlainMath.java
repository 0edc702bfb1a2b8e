package dev.smelt.gpu.plain;

import dev.smelt.gpu.plain.TinyModel.Tensor;

/** Layers over sequences of vectors, [T][width], by the textbook. */
final class PlainMath {

  private PlainMath() {}

  /**
   * y = x Wᵀ + b with W [out, in], or [in, out] when {@code transposed}; where the module is stored
   * as factors, W = A B with A [out, r] and B [r, in].
   */
  static double[][] linear(TinyModel model, String module, boolean transposed, double[][] x) {
    if (model.has(module + ".BLinear.weight")) {
      double[][] inner = product(model.tensor(module + ".BLinear.weight"), false, x);
      double[][] y = product(model.tensor(module + ".ALinear.weight"), false, inner);
      return plusBias(model, module + ".ALinear.bias", y);
    }
    return plusBias(
        model, module + ".bias", product(model.tensor(module + ".weight"), transposed, x));
  }

  private static double[][] plusBias(TinyModel model, String name, double[][] y) {
    if (model.has(name)) {
      double[] bias = model.tensor(name).values();
      for (double[] row : y) {
        for (int i = 0; i < row.length; i++) {
          row[i] += bias[i];
        }
      }
    }
    return y;
  }

  static double[][] product(Tensor w, boolean transposed, double[][] x) {
    int out = (int) w.shape().size(transposed ? 1 : 0);
    double[][] y = new double[x.length][out];
    for (int t = 0; t < x.length; t++) {
      for (int i = 0; i < out; i++) {
        for (int j = 0; j < x[t].length; j++) {
          y[t][i] += x[t][j] * (transposed ? w.at(j, i) : w.at(i, j));
        }
      }
    }
    return y;
  }

  static double[][] layerNorm(TinyModel model, String module, double epsilon, double[][] x) {
    double[] weight = model.tensor(module + ".weight").values();
    double[] bias = model.tensor(module + ".bias").values();
    double[][] y = new double[x.length][weight.length];
    for (int t = 0; t < x.length; t++) {
      double mean = 0;
      for (double value : x[t]) {
        mean += value / weight.length;
      }
      double variance = 0;
      for (double value : x[t]) {
        variance += (value - mean) * (value - mean) / weight.length;
      }
      for (int i = 0; i < weight.length; i++) {
        y[t][i] = (x[t][i] - mean) / Math.sqrt(variance + epsilon) * weight[i] + bias[i];
      }
    }
    return y;
  }

  /** softmax(Q Kᵀ · scale) V per head; query t sees keys 0 … t when causal, else all. */
  static double[][] attention(
      double[][] q, double[][] k, double[][] v, int heads, double scale, boolean causal) {
    int width = q[0].length / heads;
    double[][] y = new double[q.length][q[0].length];
    for (int head = 0; head < heads; head++) {
      for (int t = 0; t < q.length; t++) {
        double[] scores = new double[causal ? t + 1 : q.length];
        for (int s = 0; s < scores.length; s++) {
          for (int i = head * width; i < (head + 1) * width; i++) {
            scores[s] += q[t][i] * k[s][i] * scale;
          }
        }
        double[] logs = logSoftmax(scores);
        for (int s = 0; s < scores.length; s++) {
          for (int i = head * width; i < (head + 1) * width; i++) {
            y[t][i] += Math.exp(logs[s]) * v[s][i];
          }
        }
      }
    }
    return y;
  }

  static double[] logSoftmax(double[] logits) {
    double max = Double.NEGATIVE_INFINITY;
    for (double logit : logits) {
      max = Math.max(max, logit);
    }
    double sum = 0;
    for (double logit : logits) {
      sum += Math.exp(logit - max);
    }
    double[] logs = new double[logits.length];
    for (int i = 0; i < logs.length; i++) {
      logs[i] = logits[i] - max - Math.log(sum);
    }
    return logs;
  }

  static double[][] sum(double[][] a, double[][] b) {
    double[][] c = new double[a.length][a[0].length];
    for (int t = 0; t < a.length; t++) {
      for (int i = 0; i < c[t].length; i++) {
        c[t][i] = a[t][i] + b[t][i];
      }
    }
    return c;
  }

  static double[][] activate(String name, double[][] x) {
    double[][] y = new double[x.length][x[0].length];
    for (int t = 0; t < x.length; t++) {
      for (int i = 0; i < y[t].length; i++) {
        y[t][i] = activate(name, x[t][i]);
      }
    }
    return y;
  }

  private static double activate(String name, double x) {
    return switch (name) {
      case "gelu" -> x / 2 * (1 + erf(x / Math.sqrt(2)));
      case "gelu_new", "gelu_fast", "gelu_pytorch_tanh" ->
          x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
      case "relu" -> Math.max(x, 0);
      case "silu", "swish" -> x / (1 + Math.exp(-x));
      case "tanh" -> Math.tanh(x);
      default -> throw new IllegalArgumentException(name);
    };
  }

  /** 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms all have one sign. */
  private static double erf(double x) {
    double term = 2 * x * x * x / 3;
    double sum = x;
    for (int n = 1; n < 200 && Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      sum += term;
      term *= 2 * x * x / (2 * n + 3);
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }

  static double[][] rows(Tensor table, int[] indices) {
    int width = (int) table.shape().size(1);
    double[][] rows = new double[indices.length][width];
    for (int t = 0; t < indices.length; t++) {
      System.arraycopy(table.values(), indices[t] * width, rows[t], 0, width);
    }
    return rows;
  }

  /** Columns {@code from … from+count-1} of every row. */
  static double[][] columns(double[][] x, int from, int count) {
    double[][] part = new double[x.length][count];
    for (int t = 0; t < x.length; t++) {
      System.arraycopy(x[t], from, part[t], 0, count);
    }
    return part;
  }
}
