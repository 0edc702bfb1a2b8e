package dev.smelt.formats.peft;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.PatternSyntaxException;
import tools.jackson.databind.JsonNode;

/**
 * Reads adapter_config.json. Keys that change what the factors mean and are not understood are
 * refused by name; keys of training (dropout, initialisation that leaves the base alone) are not
 * looked at.
 */
final class AdapterConfigReader {

  static final String LORA = "LORA";

  /** What PEFT takes where the file says nothing. */
  private static final int DEFAULT_RANK = 8;

  private static final double DEFAULT_ALPHA = 8;

  /** Far above any module's name. */
  private static final int MAX_PATTERN = 1_000;

  private static final Set<String> BIASES =
      Set.of(AdapterConfig.NO_BIAS, AdapterConfig.ALL_BIASES, "lora_only");

  /** Initialisations after which factors are a change to the weights of the base as they are. */
  private static final Set<String> PLAIN_STARTS = Set.of("gaussian", "eva", "orthogonal");

  /** Each of them makes another formula of the factors when it is set. */
  private static final List<String> OTHER_FORMULAS =
      List.of(
          "use_dora",
          "use_qalora",
          "use_bdlora",
          "alora_invocation_tokens",
          "arrow_config",
          "layer_replication",
          "monteclora_config",
          "target_parameters",
          "trainable_token_indices");

  private final ModelConfig json;

  private AdapterConfigReader(ModelConfig json) {
    this.json = json;
  }

  /**
   * @param where the file, for refusals
   * @throws UnsupportedException for anything but plain LoRA
   * @throws CorruptException when a value makes no sense
   */
  static AdapterConfig read(byte[] text, String where) {
    return new AdapterConfigReader(ModelConfig.parse(text, where)).read();
  }

  private AdapterConfig read() {
    requireLora();
    return new AdapterConfig(
        rank(),
        json.number("lora_alpha", DEFAULT_ALPHA),
        json.flag("use_rslora", false),
        patterns("rank_pattern", "a whole number above 0", this::wholeAboveZero),
        patterns("alpha_pattern", "a number", AdapterConfigReader::number),
        json.flag("lora_bias", false),
        json.flag("fan_in_fan_out", false),
        bias(),
        targets(),
        names("modules_to_save"),
        json.flag("ensure_weight_tying", false),
        json.text("task_type"),
        json.text("base_model_name_or_path"));
  }

  private void requireLora() {
    String type =
        json.text("peft_type")
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "adapter of no type",
                        json.where(),
                        "expected the key 'peft_type'",
                        "give a folder that PEFT has written"));
    if (!type.equals(LORA)) {
      throw unsupported("adapter of type " + type, "expected peft_type LORA, found " + type);
    }
    for (String key : OTHER_FORMULAS) {
      if (isSet(json.get(key))) {
        throw unsupported(
            "kind of adapter that is not understood", "found " + key + " = " + json.get(key));
      }
    }
    JsonNode start = json.get("init_lora_weights");
    boolean plain =
        start.isMissingNode()
            || start.isNull()
            || start.isBoolean()
            || (start.isString() && PLAIN_STARTS.contains(start.asString()));
    if (!plain) {
      throw new UnsupportedException(
          "adapter to a base that PEFT changes first",
          json.where(),
          "found init_lora_weights = " + start,
          "save it as plain LoRA with path_initial_model_for_weight_conversion");
    }
  }

  private UnsupportedException unsupported(String what, String detail) {
    return new UnsupportedException(
        what, json.where(), detail, "merge it into its base with PEFT and use the result");
  }

  private static boolean isSet(JsonNode value) {
    boolean unset =
        value.isMissingNode()
            || value.isNull()
            || (value.isBoolean() && !value.booleanValue())
            || (value.isContainer() && value.isEmpty());
    return !unset;
  }

  private int rank() {
    return json.get("r").isMissingNode() ? DEFAULT_RANK : json.size("r");
  }

  private String bias() {
    String bias = json.text("bias").orElse(AdapterConfig.NO_BIAS);
    if (!BIASES.contains(bias)) {
      throw corrupt("bias", "none, all or lora_only", json.get("bias"));
    }
    return bias;
  }

  /** Only a plain list says which modules must have factors; expressions and exceptions do not. */
  private List<String> targets() {
    boolean narrowed =
        isSet(json.get("layers_to_transform"))
            || isSet(json.get("layers_pattern"))
            || isSet(json.get("exclude_modules"));
    return narrowed || json.get("target_modules").isString() ? List.of() : names("target_modules");
  }

  private List<String> names(String key) {
    JsonNode value = json.get(key);
    if (value.isMissingNode() || value.isNull()) {
      return List.of();
    }
    boolean list = value.isArray() && value.valueStream().allMatch(JsonNode::isString);
    if (!list) {
      throw corrupt(key, "a list of names", value);
    }
    return value.valueStream().map(JsonNode::asString).toList();
  }

  private <T> SequencedMap<String, T> patterns(
      String key, String expected, Function<JsonNode, Optional<T>> read) {
    SequencedMap<String, T> patterns = new LinkedHashMap<>();
    JsonNode value = json.get(key);
    if (value.isMissingNode() || value.isNull()) {
      return patterns;
    }
    if (!value.isObject()) {
      throw corrupt(key, "an object", value);
    }
    List<String> names = new ArrayList<>(value.propertyNames());
    for (String name : names) {
      requirePattern(key, name);
      patterns.put(
          name,
          read.apply(value.get(name)).orElseThrow(() -> corrupt(key, expected, value.get(name))));
    }
    return patterns;
  }

  private void requirePattern(String key, String name) {
    boolean valid = name.length() <= MAX_PATTERN;
    try {
      var _ = AdapterConfig.pattern(name);
    } catch (PatternSyntaxException _) {
      valid = false;
    }
    if (!valid) {
      throw new CorruptException(
          "malformed pattern of an adapter",
          json.where(),
          "expected a regular expression in " + key + ", found '" + name + "'",
          "");
    }
  }

  private Optional<Integer> wholeAboveZero(JsonNode value) {
    return value.canConvertToInt() && value.isIntegralNumber() && value.intValue() > 0
        ? Optional.of(value.intValue())
        : Optional.empty();
  }

  private static Optional<Double> number(JsonNode value) {
    return value.isNumber()
        ? Optional.of(value.decimalValue().doubleValue()).filter(Double::isFinite)
        : Optional.empty();
  }

  private CorruptException corrupt(String key, String expected, JsonNode found) {
    return new CorruptException(
        "adapter config value of the wrong type",
        json.where(),
        key + " must be " + expected + ", found " + found,
        "");
  }
}
