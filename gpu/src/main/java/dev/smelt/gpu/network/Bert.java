package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Attention;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.LayerNorm;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Model;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * BERT (Devlin et al. 2019) as a classifier, as in Hugging Face's {@code modeling_bert}: layers of
 * attention and a two-layer perceptron with the norm after each sum; the first token, through the
 * pooler, decides. Dropout is off.
 */
final class Bert implements Model {

  /** One layer: x ← norm(x + attention x), then x ← norm(x + perceptron x). */
  private record Layer(
      Linear query,
      Linear key,
      Linear value,
      Linear attentionOutput,
      LayerNorm attentionNorm,
      Linear up,
      Linear down,
      LayerNorm norm) {}

  private final Embedding tokens;
  private final Embedding positions;
  private final Embedding segments;
  private final LayerNorm norm;
  private final List<Layer> layers;
  private final Linear pooler;
  private final Linear classifier;
  private final Activation activation;
  private final int heads;
  private final double scale;

  private Bert(ModelConfig config, Weights weights, ScriptFunctions functions, int classes) {
    int width = config.size("hidden_size");
    int inner = config.size("intermediate_size");
    double epsilon = config.number("layer_norm_eps", 1e-12);
    String activationName = config.text("hidden_act").orElse("gelu");
    heads = Configs.heads(config, "hidden_size", "num_attention_heads");
    scale = 1 / Math.sqrt(width / (double) heads);
    activation = Activation.named(activationName, config.where() + "|hidden_act", functions);

    Weights base = weights.inOptional("bert");
    Weights embeddings = base.in("embeddings");
    tokens = embeddings.embedding("word_embeddings", config.size("vocab_size"), width);
    positions =
        embeddings.embedding("position_embeddings", config.size("max_position_embeddings"), width);
    segments =
        embeddings.embedding(
            "token_type_embeddings", config.integer("type_vocab_size").orElse(2), width);
    norm = embeddings.layerNorm("LayerNorm", width, epsilon);
    layers = new ArrayList<>();
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      Weights layer = base.in("encoder.layer." + i);
      layers.add(
          new Layer(
              layer.linear("attention.self.query", width, width, Layout.OUT_IN, Bias.YES),
              layer.linear("attention.self.key", width, width, Layout.OUT_IN, Bias.YES),
              layer.linear("attention.self.value", width, width, Layout.OUT_IN, Bias.YES),
              layer.linear("attention.output.dense", width, width, Layout.OUT_IN, Bias.YES),
              layer.layerNorm("attention.output.LayerNorm", width, epsilon),
              layer.linear("intermediate.dense", width, inner, Layout.OUT_IN, Bias.YES),
              layer.linear("output.dense", inner, width, Layout.OUT_IN, Bias.YES),
              layer.layerNorm("output.LayerNorm", width, epsilon)));
    }
    pooler = base.linear("pooler.dense", width, width, Layout.OUT_IN, Bias.YES);
    classifier = weights.linear("classifier", width, classes, Layout.OUT_IN, Bias.YES);
  }

  static Built classifier(ModelConfig config, Weights weights, ScriptFunctions functions) {
    Configs.refuse(config, "is_decoder", "a decoder of this family");
    Configs.refuse(config, "add_cross_attention", "cross-attention");
    String positionType = config.text("position_embedding_type").orElse("absolute");
    if (!positionType.equals("absolute")) {
      throw new UnsupportedException(
          "position embedding not supported",
          config.where(),
          "expected position_embedding_type absolute, found " + positionType,
          "");
    }
    List<String> labels = ClassNames.of(config, weights, "classifier.weight");
    InputSpec.Tokens input =
        new InputSpec.Tokens(
            Task.CLASSIFICATION,
            config.size("max_position_embeddings"),
            config.size("vocab_size"),
            labels);
    return new Built(new Bert(config, weights, functions, labels.size()), input, Map.of());
  }

  @Override
  public NDArray logits(NDManager manager, Batch examples, Tape tape) {
    TokenBatch batch = examples.tokens();
    int size = batch.size();
    int length = batch.length();
    NDArray token = tokens.forward(manager, batch.ids(), size, length, tape);
    NDArray segment = segments.forward(manager, batch.segments(), size, length, tape);
    NDArray position =
        positions.forward(manager, Positions.counting(size, length), size, length, tape);
    NDArray x = norm.forward(token.add(segment).add(position), tape);
    NDArray bias = Attention.paddingBias(x, batch.lengths(), length);
    for (Layer layer : layers) {
      x = layer.attentionNorm().forward(attention(layer, x, bias, tape).add(x), tape);
      NDArray inner = activation.apply(layer.up().forward(x, tape));
      x = layer.norm().forward(layer.down().forward(inner, tape).add(x), tape);
    }
    NDArray first = x.get(new NDIndex(":, 0:1, :"));
    return classifier.forward(pooler.forward(first, tape).tanh(), tape);
  }

  private NDArray attention(Layer layer, NDArray x, NDArray bias, Tape tape) {
    NDArray mixed =
        Attention.attend(
            layer.query().forward(x, tape),
            layer.key().forward(x, tape),
            layer.value().forward(x, tape),
            heads,
            scale,
            bias);
    return layer.attentionOutput().forward(mixed, tape);
  }
}
