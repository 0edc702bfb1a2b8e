package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.model.PrunedHeads;
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
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.ArrayList;
import java.util.List;

/**
 * GPT-2 (Radford et al. 2019) as in Hugging Face's {@code modeling_gpt2}: blocks of causal
 * attention and a two-layer perceptron, each on the normalised residual stream. Dropout is off.
 */
final class Gpt2 implements Model {

  /**
   * One block: x += attention(ln_1 x), then x += perceptron(ln_2 x).
   *
   * @param heads that its attention has
   */
  private record Block(
      LayerNorm norm1,
      Linear queryKeyValue,
      Linear attentionOutput,
      int heads,
      double scale,
      LayerNorm norm2,
      Linear up,
      Linear down) {}

  private final Embedding tokens;
  private final Embedding positions;
  private final List<Block> blocks;
  private final LayerNorm norm;
  private final CausalHead head;
  private final Activation activation;

  private Gpt2(Task task, ModelConfig config, Weights weights, ScriptFunctions functions) {
    int width = config.size("n_embd");
    int maxPositions = config.size("n_positions");
    int inner = config.integer("n_inner").orElse(4 * width);
    double epsilon = config.number("layer_norm_epsilon", 1e-5);
    String act = config.text("activation_function").orElse("gelu_new");
    int layers = config.size("n_layer");
    PrunedHeads pruned = Configs.prunedHeads(config, layers, "n_embd", "n_head");
    int headWidth = width / pruned.heads();
    activation = Activation.named(act, config.where() + "|activation_function", functions);

    Weights base = weights.inOptional("transformer");
    tokens = base.embedding("wte", config.size("vocab_size"), width);
    positions = base.embedding("wpe", maxPositions, width);
    blocks = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      Weights block = base.in("h." + i);
      int heads = pruned.left(i);
      long mixed = (long) heads * headWidth;
      blocks.add(
          new Block(
              block.layerNorm("ln_1", width, epsilon),
              block.linear("attn.c_attn", width, 3 * mixed, Layout.IN_OUT, Bias.YES),
              block.linear("attn.c_proj", mixed, width, Layout.IN_OUT, Bias.YES),
              heads,
              scale(config, headWidth, i),
              block.layerNorm("ln_2", width, epsilon),
              block.linear("mlp.c_fc", width, inner, Layout.IN_OUT, Bias.YES),
              block.linear("mlp.c_proj", inner, width, Layout.IN_OUT, Bias.YES)));
    }
    norm = base.layerNorm("ln_f", width, epsilon);
    head = CausalHead.of(task, config, weights, tokens, "lm_head", maxPositions);
  }

  static Built build(Task task, ModelConfig config, Weights weights, ScriptFunctions functions) {
    Configs.refuse(config, "add_cross_attention", "cross-attention");
    Gpt2 model = new Gpt2(task, config, weights, functions);
    return new Built(model, model.head.input(), model.head.aliases());
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
    for (int i = 0; i < blocks.size(); i++) {
      tape.hidden(i, x);
      x = x.add(attention(blocks.get(i), x, bias, tape));
      x = x.add(perceptron(blocks.get(i), x, tape));
    }
    tape.hidden(blocks.size(), x);
    return head.forward(norm.forward(x, tape), batch, tape);
  }

  private NDArray attention(Block block, NDArray x, NDArray bias, Tape tape) {
    NDArray normed = block.norm1().forward(x, tape);
    NDList parts = block.queryKeyValue().forward(normed, tape).split(3, 2);
    NDArray mixed =
        Attention.attend(
            parts.get(0), parts.get(1), parts.get(2), block.heads(), block.scale(), bias);
    return block.attentionOutput().forward(mixed, tape);
  }

  private NDArray perceptron(Block block, NDArray x, Tape tape) {
    NDArray normed = block.norm2().forward(x, tape);
    return block.down().forward(activation.apply(block.up().forward(normed, tape)), tape);
  }
}
