package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.ModelConfig;
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
 * GPT-2 (Radford et al. 2019) as in Hugging Face's {@code modeling_gpt2}: blocks of causal
 * attention and a two-layer perceptron, each on the normalised residual stream. Dropout is off.
 */
final class Gpt2 implements Model {

  /** One block: x += attention(ln_1 x), then x += perceptron(ln_2 x). */
  private record Block(
      LayerNorm norm1,
      Linear queryKeyValue,
      Linear attentionOutput,
      double scale,
      LayerNorm norm2,
      Linear up,
      Linear down) {}

  private final Embedding tokens;
  private final Embedding positions;
  private final List<Block> blocks;
  private final LayerNorm norm;
  private final Linear head;
  private final Activation activation;
  private final int heads;
  private final Task task;

  private Gpt2(
      Embedding tokens,
      Embedding positions,
      List<Block> blocks,
      LayerNorm norm,
      Linear head,
      Activation activation,
      int heads,
      Task task) {
    this.tokens = tokens;
    this.positions = positions;
    this.blocks = List.copyOf(blocks);
    this.norm = norm;
    this.head = head;
    this.activation = activation;
    this.heads = heads;
    this.task = task;
  }

  static Built languageModel(ModelConfig config, Weights weights, ScriptFunctions functions) {
    int vocabulary = config.size("vocab_size");
    TiedHead head = TiedHead.of(config, weights, "wte.weight", vocabulary, config.size("n_embd"));
    InputSpec.Tokens input =
        new InputSpec.Tokens(
            Task.LANGUAGE_MODELING, config.size("n_positions"), vocabulary, List.of());
    return new Built(
        build(config, weights, functions, head.linear(), input), input, head.aliases());
  }

  static Built classifier(ModelConfig config, Weights weights, ScriptFunctions functions) {
    List<String> labels = ClassNames.of(config, weights, "score.weight");
    Linear head =
        weights.linear("score", config.size("n_embd"), labels.size(), Layout.OUT_IN, Bias.NO);
    InputSpec.Tokens input =
        new InputSpec.Tokens(
            Task.CLASSIFICATION, config.size("n_positions"), config.size("vocab_size"), labels);
    return new Built(build(config, weights, functions, head, input), input, Map.of());
  }

  private static Gpt2 build(
      ModelConfig config,
      Weights weights,
      ScriptFunctions functions,
      Linear head,
      InputSpec.Tokens input) {
    Configs.refuse(config, "add_cross_attention", "cross-attention");
    int width = config.size("n_embd");
    int heads = Configs.heads(config, "n_embd", "n_head");
    int inner = config.integer("n_inner").orElse(4 * width);
    double epsilon = config.number("layer_norm_epsilon", 1e-5);
    String activation = config.text("activation_function").orElse("gelu_new");
    Weights base = weights.inOptional("transformer");
    Embedding tokens = base.embedding("wte", input.vocabularySize(), width);
    Embedding positions = base.embedding("wpe", input.maxPositions(), width);
    List<Block> blocks = new ArrayList<>();
    for (int i = 0; i < config.size("n_layer"); i++) {
      Weights block = base.in("h." + i);
      blocks.add(
          new Block(
              block.layerNorm("ln_1", width, epsilon),
              block.linear("attn.c_attn", width, 3L * width, Layout.IN_OUT, Bias.YES),
              block.linear("attn.c_proj", width, width, Layout.IN_OUT, Bias.YES),
              scale(config, width / heads, i),
              block.layerNorm("ln_2", width, epsilon),
              block.linear("mlp.c_fc", width, inner, Layout.IN_OUT, Bias.YES),
              block.linear("mlp.c_proj", inner, width, Layout.IN_OUT, Bias.YES)));
    }
    return new Gpt2(
        tokens,
        positions,
        blocks,
        base.layerNorm("ln_f", width, epsilon),
        head,
        Activation.named(activation, config.where() + "|activation_function", functions),
        heads,
        input.task());
  }

  /**
   * What attention scores of block {@code i} are multiplied with. {@code reorder_and_upcast_attn}
   * moves this factor before the product and computes in f32, which is done here anyway.
   */
  private static double scale(ModelConfig config, int headWidth, int i) {
    double scale = config.flag("scale_attn_weights", true) ? 1 / Math.sqrt(headWidth) : 1;
    return config.flag("scale_attn_by_inverse_layer_idx", false) ? scale / (i + 1) : scale;
  }

  @Override
  public NDArray logits(NDManager manager, Batch examples, Tape tape) {
    TokenBatch batch = examples.tokens();
    int size = batch.size();
    int length = batch.length();
    NDArray token = tokens.forward(manager, batch.ids(), size, length, tape);
    NDArray position =
        positions.forward(manager, Positions.counting(size, length), size, length, tape);
    NDArray x = token.add(position);
    // Padding is on the right, so a causal mask hides it from every token that counts.
    NDArray bias = Attention.causalBias(x, length);
    for (Block block : blocks) {
      x = x.add(attention(block, x, bias, tape));
      x = x.add(perceptron(block, x, tape));
    }
    x = norm.forward(x, tape);
    return head.forward(task == Task.LANGUAGE_MODELING ? x : last(x, batch), tape);
  }

  private NDArray attention(Block block, NDArray x, NDArray bias, Tape tape) {
    NDArray normed = block.norm1().forward(x, tape);
    NDList parts = block.queryKeyValue().forward(normed, tape).split(3, 2);
    NDArray mixed =
        Attention.attend(parts.get(0), parts.get(1), parts.get(2), heads, block.scale(), bias);
    return block.attentionOutput().forward(mixed, tape);
  }

  private NDArray perceptron(Block block, NDArray x, Tape tape) {
    NDArray normed = block.norm2().forward(x, tape);
    return block.down().forward(activation.apply(block.up().forward(normed, tape)), tape);
  }

  /**
   * The hidden state [B, 1, width] of each example's last token, picked by a product with 0s and a
   * 1.
   */
  private static NDArray last(NDArray x, TokenBatch batch) {
    float[] picks = new float[batch.size() * batch.length()];
    for (int b = 0; b < batch.size(); b++) {
      picks[b * batch.length() + batch.lengths()[b] - 1] = 1;
    }
    NDArray pick = x.getManager().create(picks, new Shape(batch.size(), 1, batch.length()));
    return pick.matMul(x);
  }
}
