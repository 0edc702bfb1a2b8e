package dev.smelt.formats.huggingface;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * A Hugging Face folder before its weights are opened: which files hold them, and what lies beside.
 *
 * @param weights files in order; one, or all that the index names
 * @param config config.json, where there is one
 * @param sideFiles everything else a model needs
 */
public record WeightsFolder(
    Path folder,
    List<Part> weights,
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
   * A file with weights.
   *
   * @param name that the index has for it
   */
  record Part(String name, Path file) {

    /** Whether it lies in a neighbouring folder and may hold tensors of other models. */
    boolean isShared() {
      return ShardIndex.isShared(name);
    }
  }

  /**
   * How a format names its files.
   *
   * @param single the file of a model in one piece
   * @param index the file that lists shards
   * @param ending of shards
   * @param shares whether shards may lie in a neighbouring folder
   */
  public record Naming(String single, String index, String ending, boolean shares) {

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
      Part part = new Part(naming.single(), single);
      return new WeightsFolder(
          folder, List.of(part), Optional.empty(), config(folder), sideFiles(folder));
    }
    Path file = folder.resolve(naming.index());
    ShardIndex index =
        ShardIndex.parse(storage.read(file, ShardIndex.MAX_BYTES), naming, file.toString());
    List<Part> shards =
        index.shards().stream().map(name -> new Part(name, folder.resolve(name))).toList();
    shards.forEach(shard -> requireThere(folder, shard, naming));
    return new WeightsFolder(folder, shards, Optional.of(index), config(folder), sideFiles(folder));
  }

  private static void requireThere(Path folder, Part shard, Naming naming) {
    String file = shard.file().toString();
    if (!Storage.local().exists(shard.file())) {
      throw shard.isShared()
          ? new NotFoundException(
              "shared weights missing",
              file,
              "named by " + folder.resolve(naming.index()),
              "keep the folder " + ShardIndex.neighbour(shard.name()) + "/ beside this one")
          : new NotFoundException("shard missing", file, "named by " + naming.index(), "");
    }
    if (shard.isShared() && Storage.local().isInside(shard.file(), folder)) {
      throw new CorruptException(
          "index names its own folder as a neighbour",
          folder.resolve(naming.index()).toString(),
          "expected a plain file name, found " + shard.name(),
          "");
    }
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

  /** ", 3 shards" or ", 1 shard and 2 shared files" where there is an index. */
  String shards() {
    if (index.isEmpty()) {
      return "";
    }
    long shared = weights.stream().filter(Part::isShared).count();
    long own = weights.size() - shared;
    List<String> counts = new ArrayList<>();
    if (own > 0) {
      counts.add(own == 1 ? "1 shard" : own + " shards");
    }
    if (shared > 0) {
      counts.add(shared == 1 ? "1 shared file" : shared + " shared files");
    }
    return ", " + String.join(" and ", counts);
  }

  /** Whether a tensor in that file is this model's: of what folders share, what the index names. */
  boolean isOwn(Part part, String tensor) {
    return !part.isShared() || index.orElseThrow().isIn(tensor, part.name());
  }

  /**
   * Shards and index must agree exactly.
   *
   * @param found tensor name → name of the file that holds it, as the index names files
   */
  void requireIndexed(Map<String, String> found) {
    if (index.isEmpty()) {
      return;
    }
    String where = index.get().where();
    for (String name : new TreeSet<>(index.get().shardOf().keySet())) {
      if (!found.containsKey(name)) {
        throw new CorruptException(
            "index names a tensor that no shard holds",
            where + "|" + name,
            "expected it in " + index.get().shardOf().get(name),
            "");
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
