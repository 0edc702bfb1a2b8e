package dev.smelt.gpu.network;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.PrunedHeads;
import dev.smelt.gpu.layer.SoftCap;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import tools.jackson.databind.JsonNode;

/** Readings of config.json that architectures share. */
final class Configs {

  /** Mixtures of experts, and the factors of Granite and Cohere. */
  private static final List<String> FOREIGN =
      List.of(
          "num_experts",
          "num_local_experts",
          "n_routed_experts",
          "logit_scale",
          "logits_scaling",
          "attention_multiplier",
          "embedding_multiplier",
          "residual_multiplier");

  private Configs() {}

  /** Number of heads, which must divide the width. */
  static int heads(ModelConfig config, String widthKey, String headsKey) {
    int heads = config.size(headsKey);
    requireDivisible(config, widthKey, config.size(widthKey), headsKey, heads);
    return heads;
  }

  /**
   * Heads of each layer, of which some may lack a few.
   *
   * @param layers of the network
   */
  static PrunedHeads prunedHeads(ModelConfig config, int layers, String widthKey, String headsKey) {
    return PrunedHeads.of(config, layers, heads(config, widthKey, headsKey));
  }

  /** Refuses heads that are gone, of a family in which all layers have as many. */
  static void refusePrunedHeads(ModelConfig config) {
    if (PrunedHeads.areIn(config)) {
      throw new UnsupportedException(
          PrunedHeads.KEY + " not supported",
          config.where(),
          "model_type " + config.modelType() + " has none, found " + config.get(PrunedHeads.KEY),
          "");
    }
  }

  /** Refuses a flag that would change the network in a way that is not built here. */
  static void refuse(ModelConfig config, String flag, String what) {
    if (config.flag(flag, false)) {
      throw new UnsupportedException(
          what + " not supported", config.where(), flag + " is true, expected false", "");
    }
  }

  /** A positive whole number; none where the key is {@code null}, {@code absent} without it. */
  static OptionalInt sizeOrNull(ModelConfig config, String key, OptionalInt absent) {
    JsonNode value = config.get(key);
    if (value.isMissingNode()) {
      return absent;
    }
    return value.isNull() ? OptionalInt.empty() : OptionalInt.of(config.size(key));
  }

  /** A number that must be there. */
  static double number(ModelConfig config, String key) {
    double value = config.number(key, Double.NaN);
    if (Double.isNaN(value)) {
      throw new NotFoundException(
          "config lacks a number", config.where(), "expected the key '" + key + "'", "add it");
    }
    return value;
  }

  static void requirePositive(ModelConfig config, String key, double value) {
    if (!(value > 0 && Double.isFinite(value))) {
      throw new CorruptException(
          "config value out of range",
          config.where(),
          "expected " + key + " above 0, found " + value,
          "");
    }
  }

  static void requireDivisible(
      ModelConfig config, String dividendKey, int dividend, String divisorKey, int divisor) {
    if (dividend % divisor != 0) {
      throw new CorruptException(
          dividendKey + " not divisible by " + divisorKey,
          config.where(),
          dividendKey + " = " + dividend + ", " + divisorKey + " = " + divisor,
          "");
    }
  }

  /** A limit of values; none where the key is {@code null}, {@code absent} without it. */
  static Optional<SoftCap> softCap(ModelConfig config, String key, double absent) {
    if (config.get(key).isNull()) {
      return Optional.empty();
    }
    double limit = config.number(key, absent);
    requirePositive(config, key, limit);
    return Optional.of(new SoftCap(limit));
  }

  /**
   * Refuses what only other families know and what would make another network, since it is not
   * clear then which of the two is meant.
   */
  static void refuseForeign(ModelConfig config) {
    for (String key : FOREIGN) {
      JsonNode value = config.get(key);
      if (!value.isMissingNode() && !value.isNull()) {
        throw new UnsupportedException(
            "part of a network not supported",
            config.where(),
            "model_type " + config.modelType() + " has no " + key + ", found " + value,
            "");
      }
    }
  }
}
