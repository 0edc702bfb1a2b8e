package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Attention;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.LayerNorm;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Model;
import dev.smelt.gpu.layer.Rotary;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * GPT-NeoX (Black et al. 2022), the network of Pythia, as in Hugging Face's {@code
 * modeling_gpt_neox}: blocks of causal attention with rotary positions and a two-layer perceptron,
 * side by side or one after the other. Dropout is off.
 */
final class GptNeoX implements Model {

  /**
   * One block.
   *
   * @param queryKeyValue gives for each head in turn its query, key and value
   */
  private record Block(
      LayerNorm attentionNorm,
      Linear queryKeyValue,
      Linear attentionOutput,
      LayerNorm perceptronNorm,
      Linear up,
      Linear down) {}

  private final Embedding tokens;
  private final Rotary rotary;
  private final List<Block> blocks;
  private final LayerNorm norm;
  private final CausalHead head;
  private final Activation activation;
  private final int heads;
  private final boolean parallel;

  private GptNeoX(Task task, ModelConfig config, Weights weights, ScriptFunctions functions) {
    int width = config.size("hidden_size");
    int inner = config.size("intermediate_size");
    double epsilon = config.number("layer_norm_eps", 1e-5);
    Bias bias = config.flag("attention_bias", true) ? Bias.YES : Bias.NO;
    String act = config.text("hidden_act").orElse("gelu");
    heads = Configs.heads(config, "hidden_size", "num_attention_heads");
    parallel = config.flag("use_parallel_residual", true);
    activation = Activation.named(act, config.where() + "|hidden_act", functions);
    Rope rope = Rope.of(config, width / heads, Rope.Dialect.GPT_NEOX);
    rotary = rope.rotary();

    Weights base = weights.inOptional("gpt_neox");
    tokens = base.embedding("embed_in", config.size("vocab_size"), width);
    blocks = new ArrayList<>();
    for (int i = 0; i < config.size("num_hidden_layers"); i++) {
      Weights block = base.in("layers." + i);
      blocks.add(
          new Block(
              block.layerNorm("input_layernorm", width, epsilon),
              block.linear("attention.query_key_value", width, 3L * width, Layout.OUT_IN, bias),
              block.linear("attention.dense", width, width, Layout.OUT_IN, bias),
              block.layerNorm("post_attention_layernorm", width, epsilon),
              block.linear("mlp.dense_h_to_4h", width, inner, Layout.OUT_IN, Bias.YES),
              block.linear("mlp.dense_4h_to_h", inner, width, Layout.OUT_IN, Bias.YES)));
    }
    norm = base.layerNorm("final_layer_norm", width, epsilon);
    head = CausalHead.of(task, config, weights, tokens, "embed_out", rope.maxPositions());
  }

  static Built build(Task task, ModelConfig config, Weights weights, ScriptFunctions functions) {
    Configs.refuseForeign(config);
    Configs.refusePrunedHeads(config);
    GptNeoX model = new GptNeoX(task, config, weights, functions);
    return new Built(model, model.head.input(), model.head.aliases());
  }

  @Override
  public NDArray logits(NDManager manager, Batch examples, Tape tape) {
    TokenBatch batch = examples.tokens();
    int length = batch.length();
    NDArray x = tokens.forward(manager, batch.ids(), batch.size(), length, tape);
    Rotary.Angles angles = rotary.angles(manager, batch.lengths(), length);
    // Padding is on the right, so a causal mask hides it from every token that counts.
    NDArray bias = Attention.causalBias(x, length);
    for (int i = 0; i < blocks.size(); i++) {
      tape.hidden(i, x);
      NDArray attended = x.add(attention(blocks.get(i), x, angles, bias, tape));
      x = attended.add(perceptron(blocks.get(i), parallel ? x : attended, tape));
    }
    tape.hidden(blocks.size(), x);
    return head.forward(norm.forward(x, tape), batch, tape);
  }

  private NDArray attention(Block block, NDArray x, Rotary.Angles angles, NDArray bias, Tape tape) {
    NDArray normed = block.attentionNorm().forward(x, tape);
    NDList parts = Attention.split(block.queryKeyValue().forward(normed, tape), heads).split(3, 3);
    double scale = 1 / Math.sqrt((double) parts.get(0).getShape().get(3));
    NDArray mixed =
        Attention.attend(
            angles.rotate(parts.get(0)),
            angles.rotate(parts.get(1)),
            parts.get(2),
            scale,
            Optional.empty(),
            bias);
    return block.attentionOutput().forward(mixed, tape);
  }

  private NDArray perceptron(Block block, NDArray x, Tape tape) {
    NDArray normed = block.perceptronNorm().forward(x, tape);
    return block.down().forward(activation.apply(block.up().forward(normed, tape)), tape);
  }
}
