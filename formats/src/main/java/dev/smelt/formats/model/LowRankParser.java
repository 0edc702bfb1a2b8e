package dev.smelt.formats.model;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.LowRank.Entry;
import dev.smelt.formats.model.LowRank.Module;
import dev.smelt.formats.model.LowRank.Part;
import dev.smelt.formats.model.LowRank.Split;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/** {@code low_rank_modules} as it stands in a config or header, checked. */
final class LowRankParser {

  /** In a fixed order, for messages. */
  private static final List<String> MODULE_KEYS =
      List.of("rank", "transposed", LowRank.SHARED_A, LowRank.SHARED_B, LowRank.DELTA);

  private static final List<String> SPLIT_KEYS = List.of("parts", "transposed");
  private static final List<String> PART_KEYS =
      List.of(
          "name",
          Axis.OUTPUT.toString(),
          Axis.INPUT.toString(),
          "rank",
          LowRank.SHARED_A,
          LowRank.SHARED_B);

  private LowRankParser() {}

  /** Other schemas name and shape their factors differently. */
  static void requireKnownSchema(ModelConfig config) {
    JsonNode schema = config.get(LowRank.SCHEMA);
    JsonNode version = config.get(LowRank.VERSION);
    boolean known =
        (schema.isMissingNode()
                || (schema.isString() && schema.asString().equals(LowRank.SCHEMA_NAME)))
            && (version.isMissingNode()
                || (version.canConvertToInt() && version.intValue() == LowRank.FORMAT_VERSION));
    if (!known) {
      throw new UnsupportedException(
          "unknown low-rank schema",
          config.where(),
          String.format(
              "expected \"%s\" version %d, found %s version %s",
              LowRank.SCHEMA_NAME, LowRank.FORMAT_VERSION, schema, version),
          "use a newer version");
    }
  }

  static LowRank parse(JsonNode node, String where) {
    if (node.isMissingNode()) {
      return new LowRank(new LinkedHashMap<>());
    }
    if (!node.isObject()) {
      throw new CorruptException(
          "malformed list of factorised modules",
          where,
          LowRank.MODULES + " must be an object",
          "");
    }
    Map<String, Entry> sorted = new TreeMap<>();
    node.forEachEntry((name, entry) -> sorted.put(name, entry(entry, where + "|" + name)));
    try {
      return new LowRank(new LinkedHashMap<>(sorted));
    } catch (IllegalArgumentException e) {
      throw corrupt(where, String.valueOf(e.getMessage()));
    }
  }

  private static Entry entry(JsonNode entry, String where) {
    if (entry.has("parts") && entry.has("rank")) {
      throw corrupt(where, "it has parts and a rank of its own");
    }
    try {
      if (entry.has("parts")) {
        requireKeys(entry, SPLIT_KEYS, where);
        return new Split(parts(entry.path("parts"), where), transposed(entry, where));
      }
      int rank = rank(entry, where);
      requireKeys(entry, MODULE_KEYS, where);
      boolean delta = flag(entry, LowRank.DELTA, where);
      return new Module(rank, transposed(entry, where), sharing(entry, where), delta);
    } catch (IllegalArgumentException e) {
      throw corrupt(where, String.valueOf(e.getMessage()));
    }
  }

  private static List<Part> parts(JsonNode list, String where) {
    if (!list.isArray()) {
      throw corrupt(where, "parts must be a list, found " + list);
    }
    List<Part> parts = new ArrayList<>();
    for (JsonNode part : list) {
      if (!part.isObject() || !part.path("name").isString()) {
        throw corrupt(where, "expected a part with a name, found " + part);
      }
      String at = where + "." + part.path("name").asString();
      requireKeys(part, PART_KEYS, at);
      OptionalInt rank = part.has("rank") ? OptionalInt.of(rank(part, at)) : OptionalInt.empty();
      parts.add(new Part(part.path("name").asString(), slice(part, at), rank, sharing(part, at)));
    }
    return parts;
  }

  private static Slice slice(JsonNode part, String where) {
    if (part.has(Axis.OUTPUT.toString()) == part.has(Axis.INPUT.toString())) {
      throw corrupt(
          where,
          "expected either rows or columns as [first, count, stride, groups], found " + part);
    }
    Axis axis = part.has(Axis.OUTPUT.toString()) ? Axis.OUTPUT : Axis.INPUT;
    JsonNode slice = part.path(axis.toString());
    boolean numbers = slice.isArray() && slice.size() == 4;
    for (JsonNode number : slice) {
      numbers &= number.canConvertToInt();
    }
    if (!numbers) {
      throw corrupt(where, axis + " must be [first, count, stride, groups], found " + slice);
    }
    return new Slice(
        axis,
        slice.path(0).intValue(),
        slice.path(1).intValue(),
        slice.path(2).intValue(),
        slice.path(3).intValue());
  }

  private static int rank(JsonNode entry, String where) {
    JsonNode rank = entry.path("rank");
    if (!rank.canConvertToInt() || rank.intValue() < 1) {
      throw new CorruptException(
          "factorised module without a rank",
          where,
          "expected {\"rank\": r} with r >= 1, found " + entry,
          "");
    }
    return rank.intValue();
  }

  private static Sharing sharing(JsonNode entry, String where) {
    boolean a = entry.has(LowRank.SHARED_A);
    boolean b = entry.has(LowRank.SHARED_B);
    if (a && b) {
      throw corrupt(where, "expected a factor of its own beside the shared one, found " + entry);
    }
    if (a) {
      return new Sharing.OfA(basis(entry.path(LowRank.SHARED_A), where));
    }
    return b ? new Sharing.OfB(basis(entry.path(LowRank.SHARED_B), where)) : new Sharing.None();
  }

  private static Basis basis(JsonNode name, String where) {
    Optional<Basis> basis = name.isString() ? Basis.named(name.asString()) : Optional.empty();
    return basis.orElseThrow(
        () -> corrupt(where, "expected \"smelt.basis.<number>\", found " + name));
  }

  private static boolean transposed(JsonNode entry, String where) {
    return flag(entry, "transposed", where);
  }

  private static boolean flag(JsonNode entry, String key, String where) {
    JsonNode flag = entry.path(key);
    if (!flag.isMissingNode() && !flag.isBoolean()) {
      throw corrupt(where, key + " must be true or false, found " + flag);
    }
    return flag.asBoolean(false);
  }

  /** An entry that says more than is understood would be read wrong. */
  private static void requireKeys(JsonNode entry, List<String> known, String where) {
    for (String key : entry.propertyNames()) {
      if (!known.contains(key)) {
        throw new UnsupportedException(
            "factorised module stored in an unknown way",
            where,
            "expected only " + known + ", found '" + key + "'",
            "use a newer version");
      }
    }
  }

  private static CorruptException corrupt(String where, String what) {
    return new CorruptException(
        "malformed factorised module", where, what, "make the checkpoint again");
  }
}
