package dev.smelt.gpu.statistics;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.UsageException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** A {@link Provenance} as the string pairs of a safetensors header. */
final class ProvenanceMetadata {

  private static final String ESTIMATOR = "estimator";
  private static final String LABELS = "labels";
  private static final String EXAMPLES = "examples";
  private static final String TOKENS = "tokens";
  private static final String SEQ_LEN = "seq_len";
  private static final String SEED = "seed";
  private static final String MODEL = "model_sha256";
  private static final String DATA = "data_sha256";
  private static final String BATCH = "batch";
  private static final String DEVICE = "device";
  private static final String ERROR = "relative_standard_error";
  private static final String ERRORS = "relative_standard_errors";
  private static final String VERSION = "smelt_version";

  private ProvenanceMetadata() {}

  static Map<String, String> write(Provenance from) {
    Map<String, String> metadata = new TreeMap<>();
    from.estimator().ifPresent(value -> metadata.put(ESTIMATOR, value));
    from.labels().ifPresent(value -> metadata.put(LABELS, value.toString()));
    from.examples().ifPresent(value -> metadata.put(EXAMPLES, String.valueOf(value)));
    from.tokens().ifPresent(value -> metadata.put(TOKENS, String.valueOf(value)));
    from.seqLen().ifPresent(value -> metadata.put(SEQ_LEN, String.valueOf(value)));
    from.seed().ifPresent(value -> metadata.put(SEED, String.valueOf(value)));
    from.modelSha256().ifPresent(value -> metadata.put(MODEL, value));
    from.dataSha256().ifPresent(value -> metadata.put(DATA, value));
    from.batch().ifPresent(value -> metadata.put(BATCH, String.valueOf(value)));
    from.device().ifPresent(value -> metadata.put(DEVICE, value));
    from.precision().ifPresent(value -> write(value, metadata));
    from.smeltVersion().ifPresent(value -> metadata.put(VERSION, value));
    return metadata;
  }

  private static void write(Precision precision, Map<String, String> metadata) {
    if (precision.overall().isPresent()) {
      metadata.put(ERROR, String.valueOf(precision.overall().getAsDouble()));
      metadata.put(ERRORS, Json.write(precision.tensors()));
    }
  }

  /**
   * @param where the file, for refusals
   * @throws CorruptException when an entry is there and makes no sense
   */
  static Provenance read(Map<String, String> metadata, String where) {
    OptionalLong seqLen = positive(metadata, SEQ_LEN, where);
    return new Provenance(
        Optional.ofNullable(metadata.get(ESTIMATOR)),
        Optional.ofNullable(metadata.get(LABELS)).map(text -> labels(text, where)),
        positive(metadata, EXAMPLES, where),
        positive(metadata, TOKENS, where),
        seqLen.isPresent()
            ? OptionalInt.of((int) Math.min(Integer.MAX_VALUE, seqLen.getAsLong()))
            : OptionalInt.empty(),
        number(metadata, SEED, where),
        Optional.ofNullable(metadata.get(MODEL)),
        Optional.ofNullable(metadata.get(DATA)),
        positive(metadata, BATCH, where),
        Optional.ofNullable(metadata.get(DEVICE)),
        precision(metadata, where),
        Optional.ofNullable(metadata.get(VERSION)));
  }

  private static Labels labels(String text, String where) {
    try {
      return Labels.parse(text);
    } catch (UsageException e) {
      throw malformed(LABELS, text, "empirical, sampled or expected", where);
    }
  }

  private static OptionalLong positive(Map<String, String> metadata, String key, String where) {
    OptionalLong value = number(metadata, key, where);
    if (value.isPresent() && value.getAsLong() <= 0) {
      throw malformed(key, metadata.get(key), "a positive number", where);
    }
    return value;
  }

  private static OptionalLong number(Map<String, String> metadata, String key, String where) {
    String text = metadata.get(key);
    if (text == null) {
      return OptionalLong.empty();
    }
    try {
      return OptionalLong.of(Long.parseLong(text));
    } catch (NumberFormatException e) {
      throw malformed(key, text, "a whole number", where);
    }
  }

  private static Optional<Precision> precision(Map<String, String> metadata, String where) {
    String overall = metadata.get(ERROR);
    String errors = metadata.get(ERRORS);
    if (overall == null || errors == null) {
      return Optional.empty();
    }
    SequencedMap<String, Double> tensors = new LinkedHashMap<>();
    JsonNode node = Json.parse(errors.getBytes(StandardCharsets.UTF_8), where + "|" + ERRORS);
    for (Map.Entry<String, JsonNode> entry : node.properties()) {
      if (!entry.getValue().isNumber()) {
        throw malformed(ERRORS, entry.toString(), "numbers", where);
      }
      tensors.put(entry.getKey(), entry.getValue().doubleValue());
    }
    try {
      return Optional.of(new Precision(tensors, OptionalDouble.of(Double.parseDouble(overall))));
    } catch (NumberFormatException e) {
      throw malformed(ERROR, overall, "a number", where);
    }
  }

  private static CorruptException malformed(
      String key, @Nullable String found, String expected, String where) {
    return new CorruptException(
        "malformed metadata of a statistics file",
        where,
        "expected " + expected + " under '" + key + "', found '" + found + "'",
        "make the file again with smelt fisher");
  }
}
