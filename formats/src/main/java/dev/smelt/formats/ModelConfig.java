package dev.smelt.formats;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedSet;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A model's config.json. Keys that are not understood are kept as they are; a changed copy is made
 * with {@link #with}.
 */
public final class ModelConfig {

  private final ObjectNode root;
  private final String where;

  private ModelConfig(ObjectNode root, String where) {
    this.root = root;
    this.where = where;
  }

  /**
   * @param where the file, for refusals
   * @throws CorruptException when the text is not a JSON object
   */
  public static ModelConfig parse(byte[] text, String where) {
    if (Json.parse(text, where) instanceof ObjectNode object) {
      return new ModelConfig(object, where);
    }
    throw new CorruptException("config is not a JSON object", where, "", "");
  }

  public static ModelConfig parse(String text) {
    return parse(text.getBytes(StandardCharsets.UTF_8), "config.json");
  }

  /** {@code model_type}, such as "gpt2". */
  public String modelType() {
    return text("model_type")
        .orElseThrow(
            () ->
                new NotFoundException(
                    "config names no model", where, "expected the key 'model_type'", "add it"));
  }

  /** {@code architectures}, such as ["GPT2LMHeadModel"]; empty when absent. */
  public List<String> architectures() {
    JsonNode names = root.path("architectures");
    return names.isArray() ? names.valueStream().map(JsonNode::asString).toList() : List.of();
  }

  public Optional<String> text(String key) {
    JsonNode value = root.path(key);
    return value.isString() ? Optional.of(value.asString()) : Optional.empty();
  }

  /** An optional whole number; {@code null} counts as absent. */
  public OptionalInt integer(String key) {
    JsonNode value = root.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return OptionalInt.empty();
    }
    if (!value.canConvertToInt()) {
      throw wrongType(key, "a whole number", value);
    }
    return OptionalInt.of(value.intValue());
  }

  /** A whole number that must be there and be positive. */
  public int size(String key) {
    int value =
        integer(key)
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "config lacks a size", where, "expected the key '" + key + "'", "add it"));
    if (value <= 0) {
      throw new CorruptException("config size not positive", where, key + " = " + value, "");
    }
    return value;
  }

  public double number(String key, double absent) {
    JsonNode value = root.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return absent;
    }
    if (!value.isNumber()) {
      throw wrongType(key, "a number", value);
    }
    // Over decimals: the tree's own way to a double throws where one is too large.
    double number = value.decimalValue().doubleValue();
    if (!Double.isFinite(number)) {
      throw wrongType(key, "a number in the range of doubles", value);
    }
    return number;
  }

  public boolean flag(String key, boolean absent) {
    JsonNode value = root.path(key);
    if (value.isMissingNode() || value.isNull()) {
      return absent;
    }
    if (!value.isBoolean()) {
      throw wrongType(key, "true or false", value);
    }
    return value.booleanValue();
  }

  /** The raw value of a key; a missing node when absent. Not to be changed. */
  public JsonNode get(String key) {
    return root.path(key);
  }

  /**
   * A copy in which {@code key} has {@code value}: a string, number, boolean, map, list or record.
   */
  public ModelConfig with(String key, Object value) {
    ObjectNode copy = root.deepCopy();
    copy.set(key, Json.tree(value));
    return new ModelConfig(copy, where);
  }

  /**
   * A copy that names the type its weights are written in; the same where that is left as it was.
   */
  public ModelConfig withDtype(Optional<DType> dtype) {
    return dtype.map(type -> with("torch_dtype", type.torchName())).orElse(this);
  }

  /**
   * The floating-point type its weights are said to be of, under {@code torch_dtype} or, as newer
   * configs have it, {@code dtype}; empty where neither names one.
   */
  public Optional<DType> dtype() {
    return text("torch_dtype")
        .or(() -> text("dtype"))
        .flatMap(DType::ofTorchName)
        .filter(DType::isFloat);
  }

  public ModelConfig without(String... keys) {
    ObjectNode copy = root.deepCopy();
    copy.remove(List.of(keys));
    return new ModelConfig(copy, where);
  }

  /** All keys, in order. */
  public List<String> keys() {
    return List.copyOf(root.propertyNames());
  }

  /** Keys that have another value here than there, or are missing in one of the two. */
  public SortedSet<String> keysUnlike(ModelConfig other) {
    SortedSet<String> keys = new TreeSet<>(root.propertyNames());
    keys.addAll(other.root.propertyNames());
    keys.removeIf(key -> root.path(key).equals(other.root.path(key)));
    return keys;
  }

  /** The file the config came from, for messages. */
  public String where() {
    return where;
  }

  /** As written to config.json. */
  public String toJson() {
    return Json.write(root);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ModelConfig that && root.equals(that.root);
  }

  @Override
  public int hashCode() {
    return root.hashCode();
  }

  @Override
  public String toString() {
    return toJson();
  }

  private CorruptException wrongType(String key, String expected, JsonNode found) {
    return new CorruptException(
        "config value of the wrong type",
        where,
        key + " must be " + expected + ", found " + found,
        "");
  }
}
