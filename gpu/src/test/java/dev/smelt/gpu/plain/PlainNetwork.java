package dev.smelt.gpu.plain;

import dev.smelt.gpu.data.Example;
import java.util.stream.IntStream;

/** Forward passes of one example at a time, without padding. */
public final class PlainNetwork {

  private PlainNetwork() {}

  /** Logits: [T][vocabulary] where tokens are predicted, [1][classes] of a labelled example. */
  public static double[][] logits(TinyModel model, Example example) {
    return switch (example) {
      case Example.Window window -> languageModel(model, window.ids());
      case Example.Masked masked -> PlainEncoder.maskedModel(model, masked);
      case Example.Labelled labelled -> classifier(model, labelled);
      case Example.Values values -> PlainVit.classifier(model, values);
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
    return PlainEncoder.classifier(model, example);
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

  static int[] counting(int length) {
    return IntStream.range(0, length).toArray();
  }
}
