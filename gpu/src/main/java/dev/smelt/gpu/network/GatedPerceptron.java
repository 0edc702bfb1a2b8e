package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.network.DecoderFamily.Trait;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.Optional;

/**
 * The perceptron of a {@link DecoderBlock}: down(activation(gate x) ⊙ up x) (Shazeer 2020).
 *
 * @param projections x to gate and up, [B, T, inner] both
 */
record GatedPerceptron(
    DecoderAttention.Projections projections, Activation activation, Linear down) {

  /**
   * @param weights of the block
   */
  static GatedPerceptron of(
      DecoderFamily family, ModelConfig config, Weights weights, ScriptFunctions functions) {
    Weights mlp = weights.in("mlp");
    int width = config.size("hidden_size");
    int inner = config.size("intermediate_size");
    boolean biased = family.has(Trait.MLP_BIAS_BY_CONFIG) && config.flag("mlp_bias", false);
    Bias bias = biased ? Bias.YES : Bias.NO;
    return new GatedPerceptron(
        projections(family, mlp, width, inner, bias),
        activation(family, config, functions),
        mlp.linear("down_proj", inner, width, Layout.OUT_IN, bias));
  }

  private static DecoderAttention.Projections projections(
      DecoderFamily family, Weights mlp, int width, int inner, Bias bias) {
    if (family.has(Trait.FUSED)) {
      Linear both = mlp.linear("gate_up_proj", width, 2L * inner, Layout.OUT_IN, bias);
      return (x, tape) -> both.forward(x, tape).split(2, 2);
    }
    Linear gate = mlp.linear("gate_proj", width, inner, Layout.OUT_IN, bias);
    Linear up = mlp.linear("up_proj", width, inner, Layout.OUT_IN, bias);
    return (x, tape) -> new NDList(gate.forward(x, tape), up.forward(x, tape));
  }

  private static Activation activation(
      DecoderFamily family, ModelConfig config, ScriptFunctions functions) {
    String act = config.text("hidden_act").orElse("silu");
    return family.has(Trait.GELU)
        ? Activation.named(gelu(config), config.where() + "|hidden_activation", functions)
        : Activation.named(act, config.where() + "|hidden_act", functions);
  }

  /**
   * The first Gemma configs said {@code hidden_act} gelu and meant the tanh approximation. Versions
   * of transformers disagree on whether any other {@code hidden_act} counts.
   */
  private static String gelu(ModelConfig config) {
    String usual = "gelu_pytorch_tanh";
    String act = config.text("hidden_act").orElse(usual);
    Optional<String> activation = config.text("hidden_activation");
    if (activation.isEmpty() && !act.equals("gelu") && !act.equals(usual)) {
      throw new UnsupportedException(
          "activation not supported",
          config.where() + "|hidden_act",
          "found " + act + " and no hidden_activation",
          "name the one that is meant as hidden_activation");
    }
    return activation.orElse(usual);
  }

  NDArray forward(NDArray x, Tape tape) {
    NDList parts = projections.of(x, tape);
    return down.forward(activation.apply(parts.get(0)).mul(parts.get(1)), tape);
  }
}
