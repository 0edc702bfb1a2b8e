package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Attention;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.Model;
import dev.smelt.gpu.layer.RmsNorm;
import dev.smelt.gpu.layer.Rotary;
import dev.smelt.gpu.layer.SoftCap;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.network.DecoderFamily.Trait;
import dev.smelt.gpu.torch.ScriptFunctions;
import dev.smelt.gpu.torch.Tensors;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * Llama and its descendants ({@link DecoderFamily}), as in Hugging Face's {@code modeling_llama}
 * and its kin: embeddings, {@link DecoderBlock blocks}, a norm and a head.
 */
final class Decoder implements Model {

  private final Embedding tokens;
  private final OptionalDouble embeddingScale;
  private final Rotary rotary;
  private final List<DecoderBlock> blocks;
  private final RmsNorm norm;
  private final CausalHead head;
  private final Optional<SoftCap> cap;

  private Decoder(
      DecoderFamily family,
      Task task,
      ModelConfig config,
      Weights weights,
      ScriptFunctions functions) {
    int width = config.size("hidden_size");
    int layers = config.size("num_hidden_layers");
    DecoderAttention.Heads heads = DecoderAttention.Heads.of(family, config);
    Rope rope = Rope.of(config, heads.width(), family.rope());
    List<OptionalInt> windows = family.windows().of(config, layers, family.window());
    Weights base = weights.inOptional("model");
    tokens = base.embedding("embed_tokens", config.size("vocab_size"), width);
    embeddingScale =
        family.has(Trait.SCALED_EMBEDDINGS)
            ? OptionalDouble.of(Math.sqrt(width))
            : OptionalDouble.empty();
    rotary = rope.rotary();
    blocks = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      Weights block = base.in("layers." + i);
      blocks.add(DecoderBlock.of(family, config, heads, windows.get(i), block, functions));
    }
    norm = DecoderBlock.norm(family, config, base, "norm");
    head = CausalHead.of(task, config, weights, tokens, "lm_head", rope.maxPositions());
    cap =
        family.has(Trait.SOFT_CAPS) && task == Task.LANGUAGE_MODELING
            ? Configs.softCap(config, "final_logit_softcapping", 30)
            : Optional.empty();
  }

  static Built build(
      DecoderFamily family,
      Task task,
      ModelConfig config,
      Weights weights,
      ScriptFunctions functions) {
    Configs.refuse(config, "use_bidirectional_attention", "attention to later tokens");
    Configs.refuseForeign(config);
    Configs.refusePrunedHeads(config);
    Decoder decoder = new Decoder(family, task, config, weights, functions);
    return new Built(decoder, decoder.head.input(), decoder.head.aliases());
  }

  @Override
  public NDArray logits(NDManager manager, Batch examples, Tape tape) {
    TokenBatch batch = examples.tokens();
    int length = batch.length();
    NDArray found = tokens.forward(manager, batch.ids(), batch.size(), length, tape);
    NDArray x =
        embeddingScale.isPresent()
            ? found.mul(Tensors.scalar(manager, embeddingScale.getAsDouble()))
            : found;
    Rotary.Angles angles = rotary.angles(manager, batch.lengths(), length);
    // Padding is on the right, so a causal mask hides it from every token that counts.
    Map<Integer, NDArray> biases = new HashMap<>();
    for (int i = 0; i < blocks.size(); i++) {
      tape.hidden(i, x);
      DecoderBlock block = blocks.get(i);
      int window = Math.min(block.window().orElse(length), length);
      NDArray like = x;
      NDArray bias = biases.computeIfAbsent(window, w -> Attention.causalBias(like, length, w));
      x = block.forward(x, angles, bias, tape);
    }
    tape.hidden(blocks.size(), x);
    NDArray logits = head.forward(norm.forward(x, tape), batch, tape);
    return cap.map(limit -> limit.apply(logits)).orElse(logits);
  }
}
