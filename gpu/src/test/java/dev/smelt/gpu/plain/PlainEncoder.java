package dev.smelt.gpu.plain;

import dev.smelt.gpu.data.Example;

/** BERT, RoBERTa and DistilBERT, one example at a time. */
final class PlainEncoder {

  private PlainEncoder() {}

  static double[][] classifier(TinyModel model, Example.Labelled example) {
    double[][] hidden = hidden(model, example.ids(), example.segments());
    double[][] first = {hidden[0]};
    return switch (type(model)) {
      case "bert" -> {
        double[][] pooled = PlainMath.linear(model, "bert.pooler.dense", false, first);
        yield PlainMath.linear(model, "classifier", false, PlainMath.activate("tanh", pooled));
      }
      case "roberta" -> {
        double[][] inner = PlainMath.linear(model, "classifier.dense", false, first);
        yield PlainMath.linear(
            model, "classifier.out_proj", false, PlainMath.activate("tanh", inner));
      }
      default -> {
        double[][] inner = PlainMath.linear(model, "pre_classifier", false, first);
        yield PlainMath.linear(model, "classifier", false, PlainMath.activate("relu", inner));
      }
    };
  }

  static double[][] maskedModel(TinyModel model, Example.Masked example) {
    double[][] hidden = hidden(model, example.ids(), example.segments());
    String activation = (String) model.config("hidden_act", "gelu");
    double epsilon = (Double) model.config("layer_norm_eps", 1e-12);
    return switch (type(model)) {
      case "bert" ->
          head(
              model,
              hidden,
              new String[] {
                "cls.predictions.transform.dense",
                "cls.predictions.transform.LayerNorm",
                "cls.predictions.decoder.weight",
                "cls.predictions.bias",
                "bert.embeddings.word_embeddings.weight"
              },
              activation,
              epsilon);
      case "roberta" ->
          head(
              model,
              hidden,
              new String[] {
                "lm_head.dense",
                "lm_head.layer_norm",
                "lm_head.decoder.weight",
                "lm_head.bias",
                "roberta.embeddings.word_embeddings.weight"
              },
              "gelu",
              epsilon);
      default ->
          head(
              model,
              hidden,
              new String[] {
                "vocab_transform",
                "vocab_layer_norm",
                "vocab_projector.weight",
                "vocab_projector.bias",
                "distilbert.embeddings.word_embeddings.weight"
              },
              (String) model.config("activation", "gelu"),
              1e-12);
    };
  }

  /** Names: the layer, its norm, the decoder where it is not tied, its bias, the embedding. */
  private static double[][] head(
      TinyModel model, double[][] hidden, String[] names, String activation, double epsilon) {
    double[][] inner =
        PlainMath.activate(activation, PlainMath.linear(model, names[0], false, hidden));
    double[][] normed = PlainMath.layerNorm(model, names[1], epsilon, inner);
    boolean tied = (Boolean) model.config("tie_word_embeddings", true);
    double[][] y = PlainMath.product(model.tensor(names[tied ? 4 : 2]), false, normed);
    double[] bias = model.tensor(names[3]).values();
    for (double[] row : y) {
      for (int i = 0; i < row.length; i++) {
        row[i] += bias[i];
      }
    }
    return y;
  }

  private static String type(TinyModel model) {
    return (String) model.config("model_type", "");
  }

  private static double[][] hidden(TinyModel model, int[] tokens, int[] segments) {
    return type(model).equals("distilbert")
        ? distilled(model, tokens)
        : bert(model, type(model) + ".", tokens, segments);
  }

  private static double[][] bert(TinyModel model, String prefix, int[] tokens, int[] segments) {
    double epsilon = (Double) model.config("layer_norm_eps", 1e-12);
    String activation = (String) model.config("hidden_act", "gelu");
    int heads = model.size("num_attention_heads");
    String embeddings = prefix + "embeddings.";
    boolean roberta = prefix.equals("roberta.");
    int[] positions =
        roberta
            ? afterPadding(tokens, (Integer) model.config("pad_token_id", 1))
            : PlainNetwork.counting(tokens.length);
    double[][] x =
        PlainMath.sum(
            PlainMath.rows(model.tensor(embeddings + "word_embeddings.weight"), tokens),
            PlainMath.sum(
                PlainMath.rows(
                    model.tensor(embeddings + "token_type_embeddings.weight"),
                    roberta ? new int[tokens.length] : segments),
                PlainMath.rows(
                    model.tensor(embeddings + "position_embeddings.weight"), positions)));
    x = PlainMath.layerNorm(model, embeddings + "LayerNorm", epsilon, x);
    for (int i = 0; i < model.size("num_hidden_layers"); i++) {
      String layer = prefix + "encoder.layer." + i + ".";
      double[][] mixed = attention(model, layer + "attention.self.", heads, x);
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

  static double[][] attention(TinyModel model, String path, int heads, double[][] x) {
    double[][] query = PlainMath.linear(model, path + "query", false, x);
    return PlainMath.attention(
        query,
        PlainMath.linear(model, path + "key", false, x),
        PlainMath.linear(model, path + "value", false, x),
        heads,
        1 / Math.sqrt(query[0].length / (double) heads),
        false);
  }

  /** As {@code create_position_ids_from_input_ids}: padding + running count of other tokens. */
  private static int[] afterPadding(int[] tokens, int padding) {
    int[] positions = new int[tokens.length];
    for (int t = 0; t < tokens.length; t++) {
      int count = 0;
      for (int s = 0; s <= t; s++) {
        count += tokens[s] == padding ? 0 : 1;
      }
      positions[t] = tokens[t] == padding ? padding : padding + count;
    }
    return positions;
  }

  private static double[][] distilled(TinyModel model, int[] tokens) {
    String activation = (String) model.config("activation", "gelu");
    int heads = model.size("n_heads");
    String embeddings = "distilbert.embeddings.";
    double[][] x =
        PlainMath.sum(
            PlainMath.rows(model.tensor(embeddings + "word_embeddings.weight"), tokens),
            PlainMath.rows(
                model.tensor(embeddings + "position_embeddings.weight"),
                PlainNetwork.counting(tokens.length)));
    x = PlainMath.layerNorm(model, embeddings + "LayerNorm", 1e-12, x);
    for (int i = 0; i < model.size("n_layers"); i++) {
      String layer = "distilbert.transformer.layer." + i + ".";
      double[][] mixed =
          PlainMath.attention(
              PlainMath.linear(model, layer + "attention.q_lin", false, x),
              PlainMath.linear(model, layer + "attention.k_lin", false, x),
              PlainMath.linear(model, layer + "attention.v_lin", false, x),
              heads,
              1 / Math.sqrt(model.size("dim") / (double) heads),
              false);
      double[][] attended = PlainMath.linear(model, layer + "attention.out_lin", false, mixed);
      x = PlainMath.layerNorm(model, layer + "sa_layer_norm", 1e-12, PlainMath.sum(attended, x));
      double[][] inner =
          PlainMath.activate(activation, PlainMath.linear(model, layer + "ffn.lin1", false, x));
      double[][] outer = PlainMath.linear(model, layer + "ffn.lin2", false, inner);
      x = PlainMath.layerNorm(model, layer + "output_layer_norm", 1e-12, PlainMath.sum(outer, x));
    }
    return x;
  }
}
