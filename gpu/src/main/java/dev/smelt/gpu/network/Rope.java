package dev.smelt.gpu.network;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.layer.Rotary;
import dev.smelt.gpu.layer.RotaryFrequencies;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * Rotary position embedding as a config asks for it: in {@code rope_scaling} and keys beside it, or
 * in {@code rope_parameters}.
 *
 * @param maxPositions tokens that a sequence may have
 */
record Rope(Rotary rotary, int maxPositions) {

  private static final double DEFAULT_THETA = 10_000;

  /**
   * How a family spells what it says outside the object.
   *
   * @param theta key of θ
   * @param share key of the share of a head's features that turn
   * @param shareAbsent where neither place has it
   * @param partial whether that share may be another than 1
   * @param longRope types that mean "longrope"
   * @param trained {@code original_max_position_embeddings} where no place has it; otherwise that
   *     is {@code max_position_embeddings}
   */
  record Dialect(
      String theta,
      String share,
      double shareAbsent,
      boolean partial,
      Set<String> longRope,
      OptionalInt trained) {

    static final Dialect LLAMA =
        new Dialect(
            "rope_theta",
            "partial_rotary_factor",
            1,
            false,
            Set.of("longrope"),
            OptionalInt.empty());

    /** What early checkpoints call su or yarn is LongRoPE here. */
    static final Dialect PHI3 =
        new Dialect(
            "rope_theta",
            "partial_rotary_factor",
            1,
            true,
            Set.of("longrope", "su", "yarn"),
            OptionalInt.of(4096));

    static final Dialect GPT_NEOX =
        new Dialect(
            "rotary_emb_base", "rotary_pct", 0.25, true, Set.of("longrope"), OptionalInt.empty());
  }

  /**
   * @param headWidth features of one head
   * @throws UnsupportedException naming a type of scaling that is not built in
   * @throws CorruptException when a number is missing or senseless
   */
  static Rope of(ModelConfig config, int headWidth, Dialect dialect) {
    ModelConfig rope = object(config);
    int dims = dims(config, rope, headWidth, dialect);
    double theta = rope.number("rope_theta", config.number(dialect.theta(), DEFAULT_THETA));
    Configs.requirePositive(config, dialect.theta(), theta);
    int positions = config.size("max_position_embeddings");
    String type = type(rope);
    if (dialect.longRope().contains(type)) {
      return new Rope(
          new Rotary(longRope(config, rope, dialect, theta, dims, positions)), positions);
    }
    int trained = trained(config, rope, dialect).orElse(positions);
    return switch (type) {
      case "default" -> new Rope(new Rotary(new RopeScaling.Linear(theta, dims, 1)), positions);
      case "linear" ->
          new Rope(new Rotary(new RopeScaling.Linear(theta, dims, factor(rope))), positions);
      case "dynamic" ->
          new Rope(
              new Rotary(new RopeScaling.Dynamic(theta, dims, factor(rope), positions)),
              Math.max(positions, (int) (factor(rope) * positions)));
      case "llama3" -> new Rope(new Rotary(llama3(rope, theta, dims, trained)), positions);
      case "yarn" -> {
        RopeScaling.Yarn yarn = yarn(rope, theta, dims, trained, positions);
        yield new Rope(new Rotary(yarn), Math.max(positions, (int) (yarn.factor() * trained)));
      }
      default ->
          throw new UnsupportedException(
              "scaling of rotary positions not supported",
              rope.where(),
              "expected default, linear, dynamic, llama3, yarn or longrope, found " + type,
              "");
    };
  }

  private static String type(ModelConfig rope) {
    for (String key : List.of("rope_type", "type")) {
      JsonNode type = rope.get(key);
      if (!type.isMissingNode() && !type.isNull()) {
        return type.asString(type.toString());
      }
    }
    return "default";
  }

  /** Which of the two objects says anything, in the order of transformers; or an empty one. */
  private static ModelConfig object(ModelConfig config) {
    for (String key : List.of("rope_scaling", "rope_parameters")) {
      JsonNode node = config.get(key);
      if (!node.isMissingNode() && !node.isNull() && !(node.isObject() && node.isEmpty())) {
        String where = config.where() + "|" + key;
        if (node.valueStream().anyMatch(JsonNode::isObject)) {
          throw new UnsupportedException(
              "rotary positions that differ between layers not supported",
              where,
              "found one object per type of layer",
              "");
        }
        return ModelConfig.parse(node.toString().getBytes(StandardCharsets.UTF_8), where);
      }
    }
    return ModelConfig.parse("{}".getBytes(StandardCharsets.UTF_8), config.where());
  }

  /** Features of a head that turn. */
  private static int dims(ModelConfig config, ModelConfig rope, int headWidth, Dialect dialect) {
    double share =
        rope.number("partial_rotary_factor", config.number(dialect.share(), dialect.shareAbsent()));
    if (share != 1 && !dialect.partial()) {
      throw new UnsupportedException(
          "partial rotation not supported in this family",
          config.where(),
          "expected partial_rotary_factor 1, found " + share,
          "");
    }
    int dims = (int) (headWidth * share);
    if (dims < 2 || dims % 2 != 0 || dims > headWidth) {
      throw new CorruptException(
          "features to rotate are not pairs",
          config.where(),
          "found " + dims + " of " + headWidth + " features of a head",
          "");
    }
    return dims;
  }

  /** Tokens of the sequences before stretching, where the config says so. */
  private static OptionalInt trained(ModelConfig config, ModelConfig rope, Dialect dialect) {
    String key = "original_max_position_embeddings";
    for (ModelConfig place : List.of(config, rope)) {
      if (place.integer(key).isPresent()) {
        return OptionalInt.of(place.size(key));
      }
    }
    return dialect.trained();
  }

  private static double factor(ModelConfig rope) {
    double factor = Configs.number(rope, "factor");
    Configs.requirePositive(rope, "factor", factor);
    return factor;
  }

  /** Given, or how much longer sequences are now. */
  private static double factor(ModelConfig rope, int positions, int trained) {
    double factor = rope.number("factor", positions / (double) trained);
    Configs.requirePositive(rope, "factor", factor);
    return factor;
  }

  private static RotaryFrequencies llama3(ModelConfig rope, double theta, int dims, int trained) {
    double low = Configs.number(rope, "low_freq_factor");
    double high = Configs.number(rope, "high_freq_factor");
    Configs.requirePositive(rope, "high_freq_factor - low_freq_factor", high - low);
    return new RopeScaling.Llama3(theta, dims, factor(rope), low, high, trained);
  }

  private static RopeScaling.Yarn yarn(
      ModelConfig rope, double theta, int dims, int trained, int positions) {
    double factor = factor(rope, positions, trained);
    double m = rope.number("mscale", 0);
    double all = rope.number("mscale_all_dim", 0);
    double growth =
        m != 0 && all != 0
            ? RopeScaling.Yarn.growth(factor, m) / RopeScaling.Yarn.growth(factor, all)
            : RopeScaling.Yarn.growth(factor, 1);
    return new RopeScaling.Yarn(
        theta,
        dims,
        factor,
        rope.number("beta_fast", 32),
        rope.number("beta_slow", 1),
        trained,
        rope.flag("truncate", true),
        rope.number("attention_factor", growth));
  }

  private static RotaryFrequencies longRope(
      ModelConfig config,
      ModelConfig rope,
      Dialect dialect,
      double theta,
      int dims,
      int positions) {
    int trained = trained(config, rope, dialect).orElse(positions);
    double factor = factor(rope, positions, trained);
    return new RopeScaling.LongRope(
        theta,
        dims,
        divisors(rope, "short_factor", dims / 2),
        divisors(rope, "long_factor", dims / 2),
        trained,
        rope.number("attention_factor", RopeScaling.LongRope.growth(factor, trained)));
  }

  private static double[] divisors(ModelConfig rope, String key, int count) {
    JsonNode list = rope.get(key);
    double[] divisors =
        list.valueStream().mapToDouble(node -> node.isNumber() ? node.doubleValue() : 0).toArray();
    if (divisors.length != count) {
      throw new CorruptException(
          "wrong number of divisors for rotary positions",
          rope.where(),
          "expected " + count + " in " + key + ", found " + divisors.length,
          "");
    }
    for (double divisor : divisors) {
      Configs.requirePositive(rope, key, divisor);
    }
    return divisors;
  }
}
