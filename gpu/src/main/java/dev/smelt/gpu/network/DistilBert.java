package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Attention;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.LayerNorm;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.List;
import java.util.Map;

/**
 * DistilBERT (Sanh et al. 2019), as in Hugging Face's {@code modeling_distilbert}: BERT's layers
 * without segments and without a pooler. Dropout is off.
 */
final class DistilBert {

  /** Not in the config of this family. */
  private static final double EPSILON = 1e-12;

  private static final EncoderBlock.Names NAMES =
      new EncoderBlock.Names(
          "attention.q_lin",
          "attention.k_lin",
          "attention.v_lin",
          "attention.out_lin",
          "sa_layer_norm",
          "ffn.lin1",
          "ffn.lin2",
          "output_layer_norm");

  private static final MaskedHead.Names HEAD =
      new MaskedHead.Names(
          "vocab_transform",
          "vocab_layer_norm",
          "vocab_projector",
          List.of("vocab_projector.bias"));

  private final Embedding tokens;
  private final Embedding positions;
  private final LayerNorm norm;
  private final List<EncoderBlock> blocks;
  private final Activation activation;

  private DistilBert(ModelConfig config, Weights weights, ScriptFunctions functions) {
    Configs.refuse(config, "is_decoder", "a decoder of this family");
    Configs.refuse(config, "add_cross_attention", "cross-attention");
    int width = config.size("dim");
    activation =
        Activation.named(
            config.text("activation").orElse("gelu"), config.where() + "|activation", functions);
    Weights base = weights.inOptional("distilbert");
    Weights embeddings = base.in("embeddings");
    tokens = embeddings.embedding("word_embeddings", config.size("vocab_size"), width);
    positions =
        embeddings.embedding("position_embeddings", config.size("max_position_embeddings"), width);
    norm = embeddings.layerNorm("LayerNorm", width, EPSILON);
    int layers = config.size("n_layers");
    blocks =
        EncoderBlock.stack(
            base,
            "transformer.layer",
            layers,
            NAMES,
            new EncoderBlock.Sizes(
                width,
                config.size("hidden_dim"),
                Configs.prunedHeads(config, layers, "dim", "n_heads"),
                activation,
                EPSILON,
                Bias.YES));
  }

  /** The first token, through a layer with relu, decides. */
  static Built classifier(ModelConfig config, Weights weights, ScriptFunctions functions) {
    DistilBert body = new DistilBert(config, weights, functions);
    List<String> labels = ClassNames.of(config, weights, "classifier.weight");
    int width = config.size("dim");
    Linear inner = weights.linear("pre_classifier", width, width, Layout.OUT_IN, Bias.YES);
    Linear classifier = weights.linear("classifier", width, labels.size(), Layout.OUT_IN, Bias.YES);
    Activation relu = Activation.named("relu", config.where(), functions);
    return new Built(
        (manager, batch, tape) -> {
          NDArray first = BertEncoder.first(body.hidden(manager, batch.tokens(), tape));
          return classifier.forward(relu.apply(inner.forward(first, tape)), tape);
        },
        input(config, Task.CLASSIFICATION, labels),
        Map.of());
  }

  static Built maskedModel(ModelConfig config, Weights weights, ScriptFunctions functions) {
    DistilBert body = new DistilBert(config, weights, functions);
    MaskedHead head = MaskedHead.of(config, weights, HEAD, body.tokens, body.activation, EPSILON);
    return new Built(
        (manager, batch, tape) -> head.forward(body.hidden(manager, batch.tokens(), tape), tape),
        input(config, Task.MASKED_LANGUAGE_MODELING, List.of()),
        head.aliases());
  }

  private NDArray hidden(NDManager manager, TokenBatch batch, Tape tape) {
    int size = batch.size();
    int length = batch.length();
    NDArray word = tokens.forward(manager, batch.ids(), size, length, tape);
    NDArray place =
        positions.forward(manager, Positions.counting(size, length), size, length, tape);
    NDArray x = norm.forward(word.add(place), tape);
    NDArray bias = Attention.paddingBias(x, batch.lengths(), length);
    for (int i = 0; i < blocks.size(); i++) {
      tape.hidden(i, x);
      x = blocks.get(i).normAfter(x, bias, tape);
    }
    tape.hidden(blocks.size(), x);
    return x;
  }

  private static InputSpec input(ModelConfig config, Task task, List<String> labels) {
    return new InputSpec.Tokens(
        task, config.size("max_position_embeddings"), config.size("vocab_size"), labels);
  }
}
