package dev.smelt.gpu.plain;

import dev.smelt.gpu.data.Example;
import java.util.stream.IntStream;

/** Forward passes of one example at a time, without padding. */
public final class PlainNetwork {

  private PlainNetwork() {}

  /** Logits: [T][vocabulary] of a window, [1][classes] of a labelled sequence. */
  public static double[][] logits(TinyModel model, Example example) {
    return switch (example) {
      case Example.Window window -> languageModel(model, window.ids());
      case Example.Labelled labelled -> classifier(model, labelled);
      case Example.Masked _, Example.Values _ ->
          throw new IllegalArgumentException(example.toString());
    };
  }

  /** Log-probabilities, likewise. */
  public static double[][] logProbabilities(TinyModel model, Example example) {
    double[][] logits = logits(model, example);
    for (int t = 0; t < logits.length; t++) {
      logits[t] = PlainMath.logSoftmax(logits[t]);
    }
    return logits;
  }

  private static double[][] languageModel(TinyModel model, int[] tokens) {
    String type = (String) model.config("model_type", "");
    if (type.equals("gpt_neox")) {
      return PlainNeoX.logits(model, PlainNeoX.hidden(model, tokens));
    }
    if (!type.equals("gpt2")) {
      return PlainDecoder.logits(model, PlainDecoder.hidden(model, tokens));
    }
    String head =
        Boolean.FALSE.equals(model.config("tie_word_embeddings", true))
            ? "lm_head.weight"
            : "transformer.wte.weight";
    return PlainMath.product(model.tensor(head), false, gpt2(model, tokens));
  }

  private static double[][] classifier(TinyModel model, Example.Labelled example) {
    if (model.has("score.weight") || model.has("score.BLinear.weight")) {
      double[][] hidden =
          switch ((String) model.config("model_type", "")) {
            case "gpt2" -> gpt2(model, example.ids());
            case "gpt_neox" -> PlainNeoX.hidden(model, example.ids());
            default -> PlainDecoder.hidden(model, example.ids());
          };
      double[][] last = {hidden[hidden.length - 1]};
      return PlainMath.linear(model, "score", false, last);
    }
    double[][] first = {bert(model, example.ids(), example.segments())[0]};
    double[][] pooled =
        PlainMath.activate("tanh", PlainMath.linear(model, "bert.pooler.dense", false, first));
    return PlainMath.linear(model, "classifier", false, pooled);
  }

  private static double[][] gpt2(TinyModel model, int[] tokens) {
    double epsilon = (Double) model.config("layer_norm_epsilon", 1e-5);
    String activation = (String) model.config("activation_function", "gelu_new");
    int width = model.size("n_embd");
    int heads = model.size("n_head");
    double[][] x =
        PlainMath.sum(
            PlainMath.rows(model.tensor("transformer.wte.weight"), tokens),
            PlainMath.rows(model.tensor("transformer.wpe.weight"), counting(tokens.length)));
    for (int i = 0; i < model.size("n_layer"); i++) {
      String block = "transformer.h." + i + ".";
      double scale = 1;
      if ((Boolean) model.config("scale_attn_weights", true)) {
        scale /= Math.sqrt(width / (double) heads);
      }
      if ((Boolean) model.config("scale_attn_by_inverse_layer_idx", false)) {
        scale /= i + 1;
      }
      double[][] normed = PlainMath.layerNorm(model, block + "ln_1", epsilon, x);
      double[][] qkv = PlainMath.linear(model, block + "attn.c_attn", true, normed);
      double[][] mixed =
          PlainMath.attention(
              PlainMath.columns(qkv, 0, width),
              PlainMath.columns(qkv, width, width),
              PlainMath.columns(qkv, 2 * width, width),
              heads,
              scale,
              true);
      x = PlainMath.sum(x, PlainMath.linear(model, block + "attn.c_proj", true, mixed));
      normed = PlainMath.layerNorm(model, block + "ln_2", epsilon, x);
      double[][] inner =
          PlainMath.activate(activation, PlainMath.linear(model, block + "mlp.c_fc", true, normed));
      x = PlainMath.sum(x, PlainMath.linear(model, block + "mlp.c_proj", true, inner));
    }
    return PlainMath.layerNorm(model, "transformer.ln_f", epsilon, x);
  }

  private static double[][] bert(TinyModel model, int[] tokens, int[] segments) {
    double epsilon = (Double) model.config("layer_norm_eps", 1e-12);
    String activation = (String) model.config("hidden_act", "gelu");
    int heads = model.size("num_attention_heads");
    double scale = 1 / Math.sqrt(model.size("hidden_size") / (double) heads);
    String embeddings = "bert.embeddings.";
    double[][] x =
        PlainMath.sum(
            PlainMath.rows(model.tensor(embeddings + "word_embeddings.weight"), tokens),
            PlainMath.sum(
                PlainMath.rows(model.tensor(embeddings + "token_type_embeddings.weight"), segments),
                PlainMath.rows(
                    model.tensor(embeddings + "position_embeddings.weight"),
                    counting(tokens.length))));
    x = PlainMath.layerNorm(model, embeddings + "LayerNorm", epsilon, x);
    for (int i = 0; i < model.size("num_hidden_layers"); i++) {
      String layer = "bert.encoder.layer." + i + ".";
      double[][] mixed =
          PlainMath.attention(
              PlainMath.linear(model, layer + "attention.self.query", false, x),
              PlainMath.linear(model, layer + "attention.self.key", false, x),
              PlainMath.linear(model, layer + "attention.self.value", false, x),
              heads,
              scale,
              false);
      double[][] attended = PlainMath.linear(model, layer + "attention.output.dense", false, mixed);
      x =
          PlainMath.layerNorm(
              model, layer + "attention.output.LayerNorm", epsilon, PlainMath.sum(attended, x));
      double[][] inner =
          PlainMath.activate(
              activation, PlainMath.linear(model, layer + "intermediate.dense", false, x));
      double[][] outer = PlainMath.linear(model, layer + "output.dense", false, inner);
      x = PlainMath.layerNorm(model, layer + "output.LayerNorm", epsilon, PlainMath.sum(outer, x));
    }
    return x;
  }

  private static int[] counting(int length) {
    return IntStream.range(0, length).toArray();
  }
}
