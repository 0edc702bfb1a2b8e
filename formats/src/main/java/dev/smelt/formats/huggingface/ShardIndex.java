package dev.smelt.formats.huggingface;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * {@code model.safetensors.index.json} or {@code pytorch_model.bin.index.json}: which shard holds
 * which tensor.
 *
 * @param shardOf tensor name → file name, a plain name inside the folder
 * @param where the file it was read from
 */
public record ShardIndex(Map<String, String> shardOf, String where) {

  static final String FILE = "model.safetensors.index.json";

  /** An index of a million tensors takes about this. */
  static final long MAX_BYTES = 200_000_000;

  public ShardIndex {
    shardOf = Map.copyOf(shardOf);
  }

  /**
   * @param ending of the shards' names
   */
  static ShardIndex parse(byte[] text, String ending, String where) {
    JsonNode map = Json.parse(text, where).path("weight_map");
    if (!map.isObject() || map.isEmpty()) {
      throw new CorruptException(
          "index without weights", where, "expected an object 'weight_map'", "");
    }
    Map<String, String> shardOf = new LinkedHashMap<>();
    map.forEachEntry(
        (name, file) -> {
          if (!file.isString() || !isPlainName(file.asString(), ending)) {
            throw new CorruptException(
                "index names a shard outside its folder",
                where + "|" + name,
                "expected a plain file name, found " + file,
                "");
          }
          shardOf.put(name, file.asString());
        });
    return new ShardIndex(shardOf, where);
  }

  /** Shard file names in order. */
  Collection<String> shards() {
    return new TreeSet<>(shardOf.values());
  }

  /**
   * @param bytes of all tensors, without headers
   * @param parameters elements of all tensors
   */
  static String write(long bytes, long parameters, Map<String, String> shardOf) {
    Map<String, Object> root = new LinkedHashMap<>();
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("total_parameters", parameters);
    metadata.put("total_size", bytes);
    root.put("metadata", metadata);
    root.put("weight_map", new TreeMap<>(shardOf));
    return Json.write(root);
  }

  /** {@code model-00002-of-00005.safetensors}, as the Hub names shards. */
  static List<String> names(int shards) {
    return shards == 1 ? List.of("model.safetensors") : numberedNames(shards);
  }

  /** Names beside which loaders look for an index, however many there are. */
  static List<String> numberedNames(int shards) {
    return java.util.stream.IntStream.rangeClosed(1, shards)
        .mapToObj(shard -> String.format("model-%05d-of-%05d.safetensors", shard, shards))
        .toList();
  }

  private static boolean isPlainName(String name, String ending) {
    // NUL and both separators in any system, so that a name means the same file everywhere.
    return name.endsWith(ending) && name.chars().noneMatch(c -> c == 0 || c == '/' || c == '\\');
  }
}
