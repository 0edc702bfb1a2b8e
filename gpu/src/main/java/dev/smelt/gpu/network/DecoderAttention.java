package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.layer.Attention;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.RmsNorm;
import dev.smelt.gpu.layer.Rotary;
import dev.smelt.gpu.layer.SoftCap;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.network.DecoderFamily.Trait;
import java.util.Optional;

/**
 * Attention of a {@link DecoderBlock}: queries and keys turn with their position; several query
 * heads may share a head of keys and values.
 *
 * @param projections x to [B, T, heads·headWidth] and twice [B, T, keyValueHeads·headWidth]
 */
record DecoderAttention(
    Projections projections,
    Optional<RmsNorm> queryNorm,
    Optional<RmsNorm> keyNorm,
    Linear output,
    Heads heads,
    double scale,
    Optional<SoftCap> cap) {

  /** Linear maps of one input, stored as one matrix or apart. */
  @FunctionalInterface
  interface Projections {
    NDList of(NDArray x, Tape tape);
  }

  /**
   * @param queries number of query heads
   * @param keysAndValues number of heads of keys and of values, a divisor of the former
   * @param width features of one head
   */
  record Heads(int queries, int keysAndValues, int width) {

    static Heads of(DecoderFamily family, ModelConfig config) {
      int queries = config.size("num_attention_heads");
      int shared =
          Configs.sizeOrNull(config, "num_key_value_heads", family.keyValueHeads()).orElse(queries);
      Configs.requireDivisible(
          config, "num_attention_heads", queries, "num_key_value_heads", shared);
      int width =
          Configs.sizeOrNull(config, "head_dim", family.headWidth())
              .orElseGet(
                  () ->
                      config.size("hidden_size")
                          / Configs.heads(config, "hidden_size", "num_attention_heads"));
      return new Heads(queries, shared, width);
    }
  }

  /**
   * @param weights of the block
   */
  static DecoderAttention of(
      DecoderFamily family, ModelConfig config, Heads heads, Weights weights) {
    Weights self = weights.in("self_attn");
    int width = config.size("hidden_size");
    double epsilon = config.number("rms_norm_eps", family.epsilon());
    long queries = (long) heads.queries() * heads.width();
    boolean biased =
        family.has(Trait.ATTENTION_BIAS_BY_CONFIG) && config.flag("attention_bias", false);
    Bias in = biased || family.has(Trait.BIAS_INTO_ATTENTION) ? Bias.YES : Bias.NO;
    boolean norms = family.has(Trait.HEAD_NORMS);
    boolean aboutOne = family.has(Trait.NORMS_ABOUT_ONE);
    return new DecoderAttention(
        projections(family, self, width, heads, in),
        norms
            ? Optional.of(self.rmsNorm("q_norm", heads.width(), epsilon, aboutOne))
            : Optional.empty(),
        norms
            ? Optional.of(self.rmsNorm("k_norm", heads.width(), epsilon, aboutOne))
            : Optional.empty(),
        self.linear("o_proj", queries, width, Layout.OUT_IN, biased ? Bias.YES : Bias.NO),
        heads,
        scale(family, config, heads),
        family.has(Trait.SOFT_CAPS)
            ? Configs.softCap(config, "attn_logit_softcapping", 50)
            : Optional.empty());
  }

  private static Projections projections(
      DecoderFamily family, Weights self, int width, Heads heads, Bias bias) {
    long queries = (long) heads.queries() * heads.width();
    long shared = (long) heads.keysAndValues() * heads.width();
    if (family.has(Trait.FUSED)) {
      Linear all = self.linear("qkv_proj", width, queries + 2 * shared, Layout.OUT_IN, bias);
      return (x, tape) -> all.forward(x, tape).split(new long[] {queries, queries + shared}, 2);
    }
    Linear query = self.linear("q_proj", width, queries, Layout.OUT_IN, bias);
    Linear key = self.linear("k_proj", width, shared, Layout.OUT_IN, bias);
    Linear value = self.linear("v_proj", width, shared, Layout.OUT_IN, bias);
    return (x, tape) ->
        new NDList(query.forward(x, tape), key.forward(x, tape), value.forward(x, tape));
  }

  private static double scale(DecoderFamily family, ModelConfig config, Heads heads) {
    double divisor = heads.width();
    if (family.has(Trait.SOFT_CAPS)) {
      divisor = config.number("query_pre_attn_scalar", 256);
      Configs.requirePositive(config, "query_pre_attn_scalar", divisor);
    }
    return 1 / Math.sqrt(divisor);
  }

  /**
   * @param x [B, T, width]
   * @param bias of the scores, [1, 1, T, T]
   */
  NDArray forward(NDArray x, Rotary.Angles angles, NDArray bias, Tape tape) {
    NDList parts = projections.of(x, tape);
    NDArray q = normed(queryNorm, parts.get(0), heads.queries(), tape);
    NDArray k = normed(keyNorm, parts.get(1), heads.keysAndValues(), tape);
    NDArray mixed =
        Attention.attend(
            angles.rotate(Attention.split(q, heads.queries())),
            angles.rotate(Attention.split(k, heads.keysAndValues())),
            Attention.split(parts.get(2), heads.keysAndValues()),
            scale,
            cap,
            bias);
    return output.forward(mixed, tape);
  }

  private static NDArray normed(Optional<RmsNorm> norm, NDArray x, int heads, Tape tape) {
    return norm.map(by -> by.forwardHeads(x, heads, tape)).orElse(x);
  }
}
