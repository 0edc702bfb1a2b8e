package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.layer.RmsNorm;
import dev.smelt.gpu.layer.Rotary;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.network.DecoderFamily.Trait;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One block: x += attention(norm x), then x += perceptron(norm x), where what is added may be
 * normalised again.
 *
 * @param window tokens that a query sees, its own included; none: all
 */
record DecoderBlock(
    RmsNorm attentionNorm,
    DecoderAttention attention,
    Optional<RmsNorm> attentionOutputNorm,
    RmsNorm perceptronNorm,
    GatedPerceptron perceptron,
    Optional<RmsNorm> perceptronOutputNorm,
    OptionalInt window) {

  /**
   * @param weights of the block
   */
  static DecoderBlock of(
      DecoderFamily family,
      ModelConfig config,
      DecoderAttention.Heads heads,
      OptionalInt window,
      Weights weights,
      ScriptFunctions functions) {
    boolean outputs = family.has(Trait.OUTPUT_NORMS);
    return new DecoderBlock(
        norm(family, config, weights, "input_layernorm"),
        DecoderAttention.of(family, config, heads, weights),
        outputs
            ? Optional.of(norm(family, config, weights, "post_attention_layernorm"))
            : Optional.empty(),
        norm(
            family,
            config,
            weights,
            outputs ? "pre_feedforward_layernorm" : "post_attention_layernorm"),
        GatedPerceptron.of(family, config, weights, functions),
        outputs
            ? Optional.of(norm(family, config, weights, "post_feedforward_layernorm"))
            : Optional.empty(),
        window);
  }

  static RmsNorm norm(DecoderFamily family, ModelConfig config, Weights weights, String module) {
    return weights.rmsNorm(
        module,
        config.size("hidden_size"),
        config.number("rms_norm_eps", family.epsilon()),
        family.has(Trait.NORMS_ABOUT_ONE));
  }

  /**
   * @param x [B, T, width]
   */
  NDArray forward(NDArray x, Rotary.Angles angles, NDArray bias, Tape tape) {
    NDArray attended = attention.forward(attentionNorm.forward(x, tape), angles, bias, tape);
    NDArray middle = x.add(normed(attentionOutputNorm, attended, tape));
    NDArray thought = perceptron.forward(perceptronNorm.forward(middle, tape), tape);
    return middle.add(normed(perceptronOutputNorm, thought, tape));
  }

  private static NDArray normed(Optional<RmsNorm> norm, NDArray x, Tape tape) {
    return norm.map(by -> by.forward(x, tape)).orElse(x);
  }
}
