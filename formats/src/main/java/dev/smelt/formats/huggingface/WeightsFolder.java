package dev.smelt.formats.huggingface;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A Hugging Face folder before its weights are opened: which files hold them, and what lies beside.
 *
 * @param weights files in order; one, or all shards of the index
 * @param config config.json, where there is one
 * @param sideFiles everything else a model needs
 */
public record WeightsFolder(
    Path folder,
    List<Path> weights,
    Optional<ShardIndex> index,
    Optional<ModelConfig> config,
    List<Path> sideFiles) {

  public static final String CONFIG = "config.json";

  /** Far above any real config. */
  private static final long MAX_CONFIG_BYTES = 16_000_000;

  /**
   * Endings of weights of any format and of their indexes. Such files are never side files: they
   * would outweigh the result.
   */
  private static final List<String> WEIGHTS =
      List.of(
          ".safetensors",
          ".safetensors.index.json",
          ".bin",
          ".bin.index.json",
          ".pt",
          ".pth",
          ".ckpt",
          ".h5",
          ".msgpack",
          ".onnx",
          ".gguf");

  /**
   * How a format names its files.
   *
   * @param single the file of a model in one piece
   * @param index the file that lists shards
   * @param ending of shards
   */
  public record Naming(String single, String index, String ending) {

    /** Whether a folder has weights of this format. */
    public boolean isIn(Path folder) {
      Storage storage = Storage.local();
      return storage.exists(folder.resolve(single)) || storage.exists(folder.resolve(index));
    }
  }

  public WeightsFolder {
    weights = List.copyOf(weights);
    sideFiles = List.copyOf(sideFiles);
  }

  /**
   * @param naming for which {@link Naming#isIn} holds
   */
  public static WeightsFolder of(Path folder, Naming naming) {
    Storage storage = Storage.local();
    Path single = folder.resolve(naming.single());
    // Loaders of such folders take the single file first, so an index beside it is not in use.
    if (storage.exists(single)) {
      return new WeightsFolder(
          folder, List.of(single), Optional.empty(), config(folder), sideFiles(folder));
    }
    Path file = folder.resolve(naming.index());
    ShardIndex index =
        ShardIndex.parse(
            storage.read(file, ShardIndex.MAX_BYTES), naming.ending(), file.toString());
    List<Path> shards = index.shards().stream().map(folder::resolve).toList();
    for (Path shard : shards) {
      if (!storage.exists(shard)) {
        throw new NotFoundException(
            "shard missing", shard.toString(), "named by " + naming.index(), "");
      }
    }
    return new WeightsFolder(folder, shards, Optional.of(index), config(folder), sideFiles(folder));
  }

  /** config.json of a folder. */
  public static Optional<ModelConfig> config(Path folder) {
    Path file = folder.resolve(CONFIG);
    return Storage.local().exists(file)
        ? Optional.of(
            ModelConfig.parse(Storage.local().read(file, MAX_CONFIG_BYTES), file.toString()))
        : Optional.empty();
  }

  /** What lies in a folder beside config, weights and what smelt writes about them. */
  public static List<Path> sideFiles(Path folder) {
    Set<String> ours = Set.of(CONFIG, Manifest.FILE);
    return Storage.local().files(folder).stream()
        .filter(file -> !ours.contains(name(file)))
        .filter(file -> WEIGHTS.stream().noneMatch(name(file)::endsWith))
        .filter(file -> !name(file).startsWith(".smelt-"))
        .toList();
  }

  private static String name(Path file) {
    return String.valueOf(file.getFileName());
  }

  /** ", 3 shards" when there are several. */
  public String shards() {
    return index.isPresent() ? ", " + weights.size() + " shards" : "";
  }

  /**
   * Shards and index must agree exactly.
   *
   * @param found tensor name → name of the file that holds it
   */
  public void requireIndexed(Map<String, String> found) {
    if (index.isEmpty()) {
      return;
    }
    String where = index.get().where();
    for (String name : index.get().shardOf().keySet()) {
      if (!found.containsKey(name)) {
        throw new CorruptException(
            "index names a tensor that no shard holds", where + "|" + name, "", "");
      }
    }
    found.forEach((name, file) -> requireIndexed(where, name, file));
  }

  private void requireIndexed(String where, String name, String file) {
    String named = index.orElseThrow().shardOf().get(name);
    if (named == null) {
      throw new CorruptException(
          "shard holds a tensor that the index lacks",
          where + "|" + name,
          "found it in " + file,
          "");
    }
    if (!named.equals(file)) {
      throw new CorruptException(
          "tensor in another shard than the index says",
          where + "|" + name,
          "expected it in " + named + ", found it in " + file,
          "");
    }
  }
}
