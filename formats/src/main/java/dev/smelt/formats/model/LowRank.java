package dev.smelt.formats.model;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/**
 * Which modules of a checkpoint are stored as two factors, W = A·B: the ABLinear naming.
 *
 * <table>
 * <caption>Tensors of a factorised module</caption>
 * <tr><th>name</th><th>shape</th></tr>
 * <tr><td>{@code <module>.BLinear.weight}</td><td>[r, in]</td></tr>
 * <tr><td>{@code <module>.ALinear.weight}</td><td>[out, r]</td></tr>
 * <tr><td>{@code <module>.ALinear.bias}</td><td>[out], where the module had a bias</td></tr>
 * </table>
 *
 * <p>config.json lists the modules under {@code low_rank_modules}; a weights file without a config
 * carries the same object as a string in its header.
 */
public record LowRank(SequencedMap<String, Module> modules) {

  private static final String SCHEMA = "low_rank_schema";
  private static final String SCHEMA_NAME = "ABLinear";
  private static final String VERSION = "low_rank_format_version";
  private static final int FORMAT_VERSION = 1;
  private static final String METHOD = "low_rank_method";
  private static final String MODULES = "low_rank_modules";
  private static final String RANKS = "truncation_ranks";

  /** In a fixed order, for messages. */
  private static final List<String> ENTRY_KEYS = List.of("rank", "transposed");

  /**
   * @param rank r, the columns of A and rows of B
   * @param transposed true when the dense matrix is stored [in, out], as GPT-2's Conv1D does; the
   *     factors are always those of the [out, in] matrix
   */
  public record Module(int rank, boolean transposed) {
    private Map<String, Object> toMap() {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("rank", rank);
      if (transposed) {
        map.put("transposed", true);
      }
      return map;
    }
  }

  public LowRank {
    modules = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(modules));
  }

  public static String factorA(String module) {
    return module + ".ALinear.weight";
  }

  public static String factorB(String module) {
    return module + ".BLinear.weight";
  }

  public static String bias(String module) {
    return module + ".ALinear.bias";
  }

  /** The factorised modules of a checkpoint, by name; none when it is dense. */
  public static LowRank of(Checkpoint checkpoint) {
    if (checkpoint.config().isPresent()) {
      ModelConfig config = checkpoint.config().get();
      requireKnownSchema(config);
      return parse(config.get(MODULES), config.where());
    }
    String header = checkpoint.metadata().get(MODULES);
    String where = checkpoint.path().toString();
    return header == null
        ? new LowRank(new LinkedHashMap<>())
        : parse(Json.parse(header.getBytes(StandardCharsets.UTF_8), where), where);
  }

  /** The config of the factorised model. */
  public ModelConfig describe(ModelConfig dense, String method) {
    Map<String, Object> ranks = new LinkedHashMap<>();
    modules.forEach((name, module) -> ranks.put(name, module.rank()));
    return dense
        .with(SCHEMA, SCHEMA_NAME)
        .with(VERSION, FORMAT_VERSION)
        .with(METHOD, method)
        .with(MODULES, toMap())
        .with(RANKS, ranks);
  }

  /** The config of the dense model again. */
  public static ModelConfig undescribe(ModelConfig lowRank) {
    return lowRank.without(SCHEMA, VERSION, METHOD, MODULES, RANKS);
  }

  /** For a weights file that has no config beside it. */
  public Map<String, String> headerMetadata() {
    return Map.of(MODULES, Json.writeCompact(toMap()));
  }

  private Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    modules.forEach((name, module) -> map.put(name, module.toMap()));
    return map;
  }

  /** Also refuses an entry that says more than is understood. */
  private static boolean transposed(JsonNode entry, String where) {
    for (String key : entry.propertyNames()) {
      if (!ENTRY_KEYS.contains(key)) {
        throw new UnsupportedException(
            "factorised module stored in an unknown way",
            where,
            "expected only " + ENTRY_KEYS + ", found '" + key + "'",
            "use a newer version");
      }
    }
    JsonNode transposed = entry.path("transposed");
    if (!transposed.isMissingNode() && !transposed.isBoolean()) {
      throw new CorruptException(
          "malformed factorised module",
          where,
          "transposed must be true or false, found " + transposed,
          "");
    }
    return transposed.asBoolean(false);
  }

  /** Other schemas name and shape their factors differently. */
  private static void requireKnownSchema(ModelConfig config) {
    JsonNode schema = config.get(SCHEMA);
    JsonNode version = config.get(VERSION);
    boolean known =
        (schema.isMissingNode() || (schema.isString() && schema.asString().equals(SCHEMA_NAME)))
            && (version.isMissingNode()
                || (version.canConvertToInt() && version.intValue() == FORMAT_VERSION));
    if (!known) {
      throw new UnsupportedException(
          "unknown low-rank schema",
          config.where(),
          String.format(
              "expected \"%s\" version %d, found %s version %s",
              SCHEMA_NAME, FORMAT_VERSION, schema, version),
          "use a newer version");
    }
  }

  private static LowRank parse(JsonNode node, String where) {
    if (node.isMissingNode()) {
      return new LowRank(new LinkedHashMap<>());
    }
    if (!node.isObject()) {
      throw new CorruptException(
          "malformed list of factorised modules", where, MODULES + " must be an object", "");
    }
    Map<String, Module> sorted = new TreeMap<>();
    node.forEachEntry(
        (name, entry) -> {
          JsonNode rank = entry.path("rank");
          if (!rank.canConvertToInt() || rank.intValue() < 1) {
            throw new CorruptException(
                "factorised module without a rank",
                where + "|" + name,
                "expected {\"rank\": r} with r >= 1, found " + entry,
                "");
          }
          sorted.put(name, new Module(rank.intValue(), transposed(entry, where + "|" + name)));
        });
    return new LowRank(new LinkedHashMap<>(sorted));
  }
}
