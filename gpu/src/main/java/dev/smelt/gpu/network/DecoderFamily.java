package dev.smelt.gpu.network;

import java.util.OptionalInt;
import java.util.Set;

/**
 * What tells the descendants of Llama (Touvron et al. 2023) from each other, as data: what Hugging
 * Face's transformers assumes where a config is silent, and where the networks differ. See {@link
 * DecoderBlock} for what they share.
 *
 * @param keyValueHeads where {@code num_key_value_heads} is absent; none: as many as query heads
 * @param headWidth where {@code head_dim} is absent; none: width / heads
 * @param epsilon of norms, where {@code rms_norm_eps} is absent
 * @param window where {@code sliding_window} is absent
 * @param rope how the config spells rotary positions
 */
record DecoderFamily(
    OptionalInt keyValueHeads,
    OptionalInt headWidth,
    double epsilon,
    Windows windows,
    OptionalInt window,
    Rope.Dialect rope,
    Set<Trait> traits) {

  enum Trait {
    /** Queries, keys and values have a bias. */
    BIAS_INTO_ATTENTION,
    /** All four matrices of attention have a bias if {@code attention_bias} says so. */
    ATTENTION_BIAS_BY_CONFIG,
    /** The perceptron has biases if {@code mlp_bias} says so. */
    MLP_BIAS_BY_CONFIG,
    /** Queries and keys are normalised head by head before they turn. */
    HEAD_NORMS,
    /** One matrix for queries, keys and values, one for gate and up. */
    FUSED,
    /** Norms multiply with 1 + w. */
    NORMS_ABOUT_ONE,
    /** Embeddings are multiplied with √width. */
    SCALED_EMBEDDINGS,
    /** The activation is {@code hidden_activation}, the tanh approximation of GELU if absent. */
    GELU,
    /** What attention and perceptron give is normalised too. */
    OUTPUT_NORMS,
    /** Scores and logits are kept inside limits, and the scale of scores is in the config. */
    SOFT_CAPS
  }

  private static final OptionalInt NONE = OptionalInt.empty();

  static final DecoderFamily LLAMA =
      new DecoderFamily(
          NONE,
          NONE,
          1e-6,
          Windows.NONE,
          NONE,
          Rope.Dialect.LLAMA,
          Set.of(Trait.ATTENTION_BIAS_BY_CONFIG, Trait.MLP_BIAS_BY_CONFIG));

  static final DecoderFamily MISTRAL =
      new DecoderFamily(
          OptionalInt.of(8),
          NONE,
          1e-6,
          Windows.EVERY_LAYER,
          OptionalInt.of(4096),
          Rope.Dialect.LLAMA,
          Set.of());

  static final DecoderFamily QWEN2 =
      new DecoderFamily(
          OptionalInt.of(32),
          NONE,
          1e-6,
          Windows.UPPER_LAYERS,
          OptionalInt.of(4096),
          Rope.Dialect.LLAMA,
          Set.of(Trait.BIAS_INTO_ATTENTION));

  static final DecoderFamily QWEN3 =
      new DecoderFamily(
          OptionalInt.of(32),
          OptionalInt.of(128),
          1e-6,
          Windows.UPPER_LAYERS,
          OptionalInt.of(4096),
          Rope.Dialect.LLAMA,
          Set.of(Trait.ATTENTION_BIAS_BY_CONFIG, Trait.HEAD_NORMS));

  static final DecoderFamily PHI3 =
      new DecoderFamily(
          NONE, NONE, 1e-5, Windows.EVERY_LAYER, NONE, Rope.Dialect.PHI3, Set.of(Trait.FUSED));

  static final DecoderFamily GEMMA =
      new DecoderFamily(
          OptionalInt.of(16),
          OptionalInt.of(256),
          1e-6,
          Windows.NONE,
          NONE,
          Rope.Dialect.LLAMA,
          Set.of(
              Trait.ATTENTION_BIAS_BY_CONFIG,
              Trait.NORMS_ABOUT_ONE,
              Trait.SCALED_EMBEDDINGS,
              Trait.GELU));

  static final DecoderFamily GEMMA2 =
      new DecoderFamily(
          OptionalInt.of(4),
          OptionalInt.of(256),
          1e-6,
          Windows.EVEN_LAYERS,
          OptionalInt.of(4096),
          Rope.Dialect.LLAMA,
          Set.of(
              Trait.ATTENTION_BIAS_BY_CONFIG,
              Trait.NORMS_ABOUT_ONE,
              Trait.SCALED_EMBEDDINGS,
              Trait.GELU,
              Trait.OUTPUT_NORMS,
              Trait.SOFT_CAPS));

  boolean has(Trait trait) {
    return traits.contains(trait);
  }
}
