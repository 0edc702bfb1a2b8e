package dev.smelt.gpu.plain;

import java.util.List;

/** Hidden states of Llama and its descendants, after the last norm: [T][width]. */
final class PlainDecoder {

  private final TinyModel model;
  private final String type;
  private final int heads;
  private final int shared;
  private final int headWidth;

  private PlainDecoder(TinyModel model) {
    this.model = model;
    type = (String) model.config("model_type", "");
    heads = model.size("num_attention_heads");
    shared = (Integer) model.config("num_key_value_heads", heads);
    headWidth = (Integer) model.config("head_dim", model.size("hidden_size") / heads);
  }

  static double[][] hidden(TinyModel model, int[] tokens) {
    return new PlainDecoder(model).run(tokens);
  }

  private boolean isGemma() {
    return type.startsWith("gemma");
  }

  private double[][] run(int[] tokens) {
    double[][] x = PlainMath.rows(model.tensor("model.embed_tokens.weight"), tokens);
    if (isGemma()) {
      for (double[] row : x) {
        for (int i = 0; i < row.length; i++) {
          row[i] *= Math.sqrt(row.length);
        }
      }
    }
    for (int i = 0; i < model.size("num_hidden_layers"); i++) {
      x = type.equals("gemma2") ? sandwiched(i, x) : block(i, x);
    }
    return norm("model.norm", x);
  }

  private double[][] block(int i, double[][] x) {
    String layer = "model.layers." + i + ".";
    double[][] attended = PlainMath.sum(x, attention(i, norm(layer + "input_layernorm", x)));
    return PlainMath.sum(
        attended, perceptron(layer, norm(layer + "post_attention_layernorm", attended)));
  }

  private double[][] sandwiched(int i, double[][] x) {
    String layer = "model.layers." + i + ".";
    double[][] attended = attention(i, norm(layer + "input_layernorm", x));
    double[][] middle = PlainMath.sum(x, norm(layer + "post_attention_layernorm", attended));
    double[][] inner = perceptron(layer, norm(layer + "pre_feedforward_layernorm", middle));
    return PlainMath.sum(middle, norm(layer + "post_feedforward_layernorm", inner));
  }

  private double[][] attention(int i, double[][] x) {
    String self = "model.layers." + i + ".self_attn.";
    double[][] q;
    double[][] k;
    double[][] v;
    if (type.equals("phi3")) {
      double[][] all = PlainMath.linear(model, self + "qkv_proj", false, x);
      q = PlainMath.columns(all, 0, heads * headWidth);
      k = PlainMath.columns(all, heads * headWidth, shared * headWidth);
      v = PlainMath.columns(all, (heads + shared) * headWidth, shared * headWidth);
    } else {
      q = PlainMath.linear(model, self + "q_proj", false, x);
      k = PlainMath.linear(model, self + "k_proj", false, x);
      v = PlainMath.linear(model, self + "v_proj", false, x);
    }
    if (type.equals("qwen3")) {
      q = normOfHeads(self + "q_norm", q);
      k = normOfHeads(self + "k_norm", k);
    }
    q = PlainRope.rotate(model, headWidth, q);
    k = PlainRope.rotate(model, headWidth, k);
    double[][] mixed = new double[x.length][heads * headWidth];
    for (int head = 0; head < heads; head++) {
      for (int t = 0; t < x.length; t++) {
        attend(i, head, t, q, k, v, mixed[t]);
      }
    }
    return PlainMath.linear(model, self + "o_proj", false, mixed);
  }

  /** What one head sees from one position, written to its place in {@code mixed}. */
  private void attend(
      int layer, int head, int t, double[][] q, double[][] k, double[][] v, double[] mixed) {
    int from = head * headWidth;
    int sharedFrom = head / (heads / shared) * headWidth;
    int first = Math.max(0, t - window(layer) + 1);
    double scale =
        1
            / Math.sqrt(
                type.equals("gemma2")
                    ? ((Number) model.config("query_pre_attn_scalar", 256)).doubleValue()
                    : headWidth);
    double[] scores = new double[t + 1 - first];
    for (int s = first; s <= t; s++) {
      for (int j = 0; j < headWidth; j++) {
        scores[s - first] += scale * q[t][from + j] * k[s][sharedFrom + j];
      }
      scores[s - first] = capped("attn_logit_softcapping", 50, scores[s - first]);
    }
    double[] logs = PlainMath.logSoftmax(scores);
    for (int s = first; s <= t; s++) {
      for (int j = 0; j < headWidth; j++) {
        mixed[from + j] += Math.exp(logs[s - first]) * v[s][sharedFrom + j];
      }
    }
  }

  /** Tokens that a layer sees, its own included. */
  private int window(int layer) {
    Object types = model.config("layer_types", "none");
    boolean slides =
        switch (type) {
          case "mistral", "phi3" -> true;
          case "qwen2", "qwen3" ->
              (Boolean) model.config("use_sliding_window", false)
                  && (types instanceof List<?> list
                      ? list.get(layer).equals("sliding_attention")
                      : layer >= (Integer) model.config("max_window_layers", 28));
          case "gemma2" ->
              types instanceof List<?> list
                  ? list.get(layer).equals("sliding_attention")
                  : layer % 2 == 0;
          default -> false;
        };
    Object window = model.config("sliding_window", type.equals("phi3") ? TinyModel.NULL : 4096);
    return slides && window instanceof Integer tokens ? tokens : Integer.MAX_VALUE;
  }

  private double capped(String key, double absent, double value) {
    if (!type.equals("gemma2") || model.config(key, absent).equals(TinyModel.NULL)) {
      return value;
    }
    double limit = ((Number) model.config(key, absent)).doubleValue();
    return limit * Math.tanh(value / limit);
  }

  private double[][] perceptron(String layer, double[][] x) {
    String mlp = layer + "mlp.";
    double[][] gate;
    double[][] up;
    if (type.equals("phi3")) {
      int inner = model.size("intermediate_size");
      double[][] both = PlainMath.linear(model, mlp + "gate_up_proj", false, x);
      gate = PlainMath.columns(both, 0, inner);
      up = PlainMath.columns(both, inner, inner);
    } else {
      gate = PlainMath.linear(model, mlp + "gate_proj", false, x);
      up = PlainMath.linear(model, mlp + "up_proj", false, x);
    }
    String activation =
        isGemma()
            ? (String) model.config("hidden_activation", "gelu_pytorch_tanh")
            : (String) model.config("hidden_act", "silu");
    double[][] y = PlainMath.activate(activation, gate);
    for (int t = 0; t < y.length; t++) {
      for (int i = 0; i < y[t].length; i++) {
        y[t][i] *= up[t][i];
      }
    }
    return PlainMath.linear(model, mlp + "down_proj", false, y);
  }

  private double[][] normOfHeads(String module, double[][] x) {
    double[][] y = new double[x.length][x[0].length];
    for (int from = 0; from < x[0].length; from += headWidth) {
      double[][] head = norm(module, PlainMath.columns(x, from, headWidth));
      for (int t = 0; t < x.length; t++) {
        System.arraycopy(head[t], 0, y[t], from, headWidth);
      }
    }
    return y;
  }

  private double[][] norm(String module, double[][] x) {
    double[] weight = model.tensor(module + ".weight").values();
    double epsilon = (Double) model.config("rms_norm_eps", type.equals("phi3") ? 1e-5 : 1e-6);
    double[][] y = new double[x.length][weight.length];
    for (int t = 0; t < x.length; t++) {
      double squares = 0;
      for (double value : x[t]) {
        squares += value * value;
      }
      double root = Math.sqrt(squares / weight.length + epsilon);
      for (int i = 0; i < weight.length; i++) {
        y[t][i] = x[t][i] / root * (isGemma() ? 1 + weight[i] : weight[i]);
      }
    }
    return y;
  }

  /** Logits of the next tokens, from the last hidden states. */
  static double[][] logits(TinyModel model, double[][] hidden) {
    PlainDecoder decoder = new PlainDecoder(model);
    boolean tied = (Boolean) model.config("tie_word_embeddings", decoder.isGemma());
    double[][] logits =
        tied
            ? PlainMath.product(model.tensor("model.embed_tokens.weight"), false, hidden)
            : PlainMath.linear(model, "lm_head", false, hidden);
    for (double[] row : logits) {
      for (int i = 0; i < row.length; i++) {
        row[i] = decoder.capped("final_logit_softcapping", 30, row[i]);
      }
    }
    return logits;
  }
}
