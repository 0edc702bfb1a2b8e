package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Attention;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.LayerNorm;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.List;

/**
 * The body of BERT (Devlin et al. 2019) and RoBERTa (Liu et al. 2019), as in Hugging Face's {@code
 * modeling_bert}: word, position and segment embeddings, their norm, and layers with the norm after
 * each sum. Dropout is off.
 */
final class BertEncoder {

  private static final EncoderBlock.Names NAMES =
      new EncoderBlock.Names(
          "attention.self.query",
          "attention.self.key",
          "attention.self.value",
          "attention.output.dense",
          "attention.output.LayerNorm",
          "intermediate.dense",
          "output.dense",
          "output.LayerNorm");

  private final Embedding tokens;
  private final Embedding positions;
  private final Embedding segments;
  private final LayerNorm norm;
  private final List<EncoderBlock> blocks;

  /** The activation of the layers, which BERT's head for masked tokens uses too. */
  private final Activation activation;

  private final int width;
  private final double epsilon;

  /**
   * @param base inside the family's prefix
   */
  BertEncoder(ModelConfig config, Weights base, ScriptFunctions functions) {
    requireBuilt(config);
    width = config.size("hidden_size");
    epsilon = config.number("layer_norm_eps", 1e-12);
    String name = config.text("hidden_act").orElse("gelu");
    activation = Activation.named(name, config.where() + "|hidden_act", functions);
    Weights embeddings = base.in("embeddings");
    tokens = embeddings.embedding("word_embeddings", config.size("vocab_size"), width);
    positions =
        embeddings.embedding("position_embeddings", config.size("max_position_embeddings"), width);
    segments =
        embeddings.embedding(
            "token_type_embeddings", config.integer("type_vocab_size").orElse(2), width);
    norm = embeddings.layerNorm("LayerNorm", width, epsilon);
    int layers = config.size("num_hidden_layers");
    blocks =
        EncoderBlock.stack(
            base,
            "encoder.layer",
            layers,
            NAMES,
            new EncoderBlock.Sizes(
                width,
                config.size("intermediate_size"),
                Configs.prunedHeads(config, layers, "hidden_size", "num_attention_heads"),
                activation,
                epsilon,
                Bias.YES));
  }

  private static void requireBuilt(ModelConfig config) {
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
  }

  Embedding tokens() {
    return tokens;
  }

  Activation activation() {
    return activation;
  }

  int width() {
    return width;
  }

  double epsilon() {
    return epsilon;
  }

  /**
   * @param position row of the table of positions for each token, [B, T]
   * @param segment likewise of segments
   * @return [B, T, width]
   */
  NDArray hidden(NDManager manager, TokenBatch batch, int[] position, int[] segment, Tape tape) {
    int size = batch.size();
    int length = batch.length();
    NDArray word = tokens.forward(manager, batch.ids(), size, length, tape);
    NDArray kind = segments.forward(manager, segment, size, length, tape);
    NDArray place = positions.forward(manager, position, size, length, tape);
    NDArray x = norm.forward(word.add(kind).add(place), tape);
    NDArray bias = Attention.paddingBias(x, batch.lengths(), length);
    for (int i = 0; i < blocks.size(); i++) {
      tape.hidden(i, x);
      x = blocks.get(i).normAfter(x, bias, tape);
    }
    tape.hidden(blocks.size(), x);
    return x;
  }

  /** The hidden state [B, 1, width] of each example's first token. */
  static NDArray first(NDArray hidden) {
    return hidden.get(":, 0:1, :");
  }
}
