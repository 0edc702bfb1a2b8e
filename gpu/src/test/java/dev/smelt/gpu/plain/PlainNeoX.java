package dev.smelt.gpu.plain;

/** GPT-NeoX. */
final class PlainNeoX {

  private PlainNeoX() {}

  /** Hidden states after the last norm: [T][width]. */
  static double[][] hidden(TinyModel model, int[] tokens) {
    double epsilon = (Double) model.config("layer_norm_eps", 1e-5);
    double[][] x = PlainMath.rows(model.tensor("gpt_neox.embed_in.weight"), tokens);
    for (int i = 0; i < model.size("num_hidden_layers"); i++) {
      String layer = "gpt_neox.layers." + i + ".";
      double[][] attended =
          attention(
              model, layer, PlainMath.layerNorm(model, layer + "input_layernorm", epsilon, x));
      double[][] sum = PlainMath.sum(x, attended);
      double[][] seen = (Boolean) model.config("use_parallel_residual", true) ? x : sum;
      double[][] inner =
          PlainMath.linear(
              model,
              layer + "mlp.dense_h_to_4h",
              false,
              PlainMath.layerNorm(model, layer + "post_attention_layernorm", epsilon, seen));
      inner = PlainMath.activate((String) model.config("hidden_act", "gelu"), inner);
      x = PlainMath.sum(sum, PlainMath.linear(model, layer + "mlp.dense_4h_to_h", false, inner));
    }
    return PlainMath.layerNorm(model, "gpt_neox.final_layer_norm", epsilon, x);
  }

  private static double[][] attention(TinyModel model, String layer, double[][] x) {
    int heads = model.size("num_attention_heads");
    int width = model.size("hidden_size") / heads;
    double[][] all = PlainMath.linear(model, layer + "attention.query_key_value", false, x);
    double[][] mixed = new double[x.length][heads * width];
    for (int head = 0; head < heads; head++) {
      int from = 3 * head * width;
      double[][] y =
          PlainMath.attention(
              PlainRope.rotate(model, width, PlainMath.columns(all, from, width)),
              PlainRope.rotate(model, width, PlainMath.columns(all, from + width, width)),
              PlainMath.columns(all, from + 2 * width, width),
              1,
              1 / Math.sqrt(width),
              true);
      for (int t = 0; t < x.length; t++) {
        System.arraycopy(y[t], 0, mixed[t], head * width, width);
      }
    }
    return PlainMath.linear(model, layer + "attention.dense", false, mixed);
  }

  /** Logits of the next tokens, from the last hidden states. */
  static double[][] logits(TinyModel model, double[][] hidden) {
    return (Boolean) model.config("tie_word_embeddings", false)
        ? PlainMath.product(model.tensor("gpt_neox.embed_in.weight"), false, hidden)
        : PlainMath.linear(model, "embed_out", false, hidden);
  }
}
