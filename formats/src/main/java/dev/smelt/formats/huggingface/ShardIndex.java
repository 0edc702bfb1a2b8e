package dev.smelt.formats.huggingface;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/**
 * {@code model.safetensors.index.json}, the one of packed weights, or {@code
 * pytorch_model.bin.index.json}: which shard holds which tensor.
 *
 * @param shardOf tensor name → file name: a plain name inside the folder, or {@code
 *     ../<folder>/<name>} of a file that folders side by side have in common
 * @param where the file it was read from
 */
public record ShardIndex(Map<String, String> shardOf, String where) {

  /** An index of a million tensors takes about this. */
  static final long MAX_BYTES = 200_000_000;

  /** What the name of a file in a neighbouring folder begins with. */
  private static final String UP = "../";

  public ShardIndex {
    shardOf = Map.copyOf(shardOf);
  }

  static ShardIndex parse(byte[] text, WeightsFolder.Naming naming, String where) {
    JsonNode map = Json.parse(text, where).path("weight_map");
    if (!map.isObject() || map.isEmpty()) {
      throw new CorruptException(
          "index without weights", where, "expected an object 'weight_map'", "");
    }
    Map<String, String> shardOf = new LinkedHashMap<>();
    map.forEachEntry(
        (name, file) -> {
          if (!file.isString() || !isName(file.asString(), naming)) {
            throw new CorruptException(
                "index names a shard outside its folder",
                where + "|" + name,
                naming.shares()
                    ? "expected a plain file name or ../<folder>/<name>, found " + file
                    : "expected a plain file name, found " + file,
                "");
          }
          shardOf.put(name, file.asString());
        });
    return new ShardIndex(shardOf, where);
  }

  /** Names of files in order, those of the folder itself first. */
  Collection<String> shards() {
    TreeSet<String> sorted =
        new TreeSet<>(
            Comparator.comparing(ShardIndex::isShared).thenComparing(Comparator.naturalOrder()));
    sorted.addAll(shardOf.values());
    return sorted;
  }

  /** Whether a file of the index lies in a neighbouring folder. */
  static boolean isShared(String name) {
    return name.startsWith(UP);
  }

  /**
   * @param name for which {@link #isShared} holds
   */
  static String neighbour(String name) {
    return name.substring(UP.length(), name.lastIndexOf('/'));
  }

  /** Whether a tensor is to be read from that file. */
  boolean isIn(String tensor, String file) {
    return file.equals(shardOf.get(tensor));
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

  private static boolean isName(String name, WeightsFolder.Naming naming) {
    if (naming.shares() && isShared(name)) {
      int slash = name.lastIndexOf('/');
      return slash >= UP.length()
          && isFolder(neighbour(name))
          && isFile(name.substring(slash + 1), naming.ending());
    }
    return isFile(name, naming.ending());
  }

  private static boolean isFile(String name, String ending) {
    return isPlain(name) && name.endsWith(ending);
  }

  private static boolean isFolder(String name) {
    return isPlain(name) && !name.isEmpty() && !name.equals(".") && !name.equals("..");
  }

  private static boolean isPlain(String name) {
    // NUL and both separators in any system, so that a name means the same file everywhere.
    return name.chars().noneMatch(c -> c == 0 || c == '/' || c == '\\');
  }
}
