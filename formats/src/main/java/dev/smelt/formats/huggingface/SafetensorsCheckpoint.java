package dev.smelt.formats.huggingface;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.safetensors.SafetensorsFile;
import dev.smelt.formats.storage.Storage;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Weights in safetensors: a Hugging Face folder with one file or shards, or a file on its own. */
public final class SafetensorsCheckpoint implements Checkpoint {

  public static final String CONFIG = "config.json";
  private static final String SINGLE = "model.safetensors";

  /** Far above any real config. */
  private static final long MAX_CONFIG_BYTES = 16_000_000;

  private final Path path;
  private final String kind;
  private final Arena arena;
  private final Map<String, TensorView> tensors;

  /** Tensor name → name of the file that holds it. */
  private final Map<String, String> shardOf;

  private final Map<String, String> metadata;
  private final Optional<ModelConfig> config;
  private final List<Path> weightFiles;
  private final List<Path> sideFiles;

  private SafetensorsCheckpoint(
      Path path,
      String kind,
      Arena arena,
      List<Path> weightFiles,
      Optional<ModelConfig> config,
      List<Path> sideFiles) {
    this.path = path;
    this.kind = kind;
    this.arena = arena;
    this.weightFiles = List.copyOf(weightFiles);
    this.config = config;
    this.sideFiles = List.copyOf(sideFiles);
    this.tensors = new LinkedHashMap<>();
    this.shardOf = new LinkedHashMap<>();
    List<Map<String, String>> headers = new ArrayList<>();
    for (Path file : weightFiles) {
      SafetensorsFile opened = SafetensorsFile.open(file, arena);
      headers.add(opened.metadata());
      for (TensorView view : opened.tensors()) {
        if (tensors.putIfAbsent(view.name(), view) != null) {
          throw new CorruptException(
              "tensor in two shards", file + "|" + view.name(), "expected it once", "");
        }
        shardOf.put(view.name(), String.valueOf(file.getFileName()));
      }
    }
    this.metadata = headers.getFirst();
  }

  public static Checkpoint openFile(Path file) {
    return guarded(
        arena ->
            new SafetensorsCheckpoint(
                file, "safetensors file", arena, List.of(file), Optional.empty(), List.of()));
  }

  /** True when the folder holds safetensors weights. */
  public static boolean isFolderOf(Path folder) {
    Storage storage = Storage.local();
    return storage.exists(folder.resolve(SINGLE))
        || storage.exists(folder.resolve(ShardIndex.FILE));
  }

  public static Checkpoint openFolder(Path folder) {
    Storage storage = Storage.local();
    Path single = folder.resolve(SINGLE);
    Path indexFile = folder.resolve(ShardIndex.FILE);
    // Loaders of such folders take the single file first, so an index beside it is not in use.
    if (storage.exists(single)) {
      return openFolder(folder, "Hugging Face folder", List.of(single));
    }
    ShardIndex index =
        ShardIndex.parse(storage.read(indexFile, ShardIndex.MAX_BYTES), indexFile.toString());
    List<Path> shards = index.shards().stream().map(folder::resolve).toList();
    for (Path shard : shards) {
      if (!storage.exists(shard)) {
        throw new NotFoundException(
            "shard missing", shard.toString(), "named by " + ShardIndex.FILE, "");
      }
    }
    String kind = "Hugging Face folder, " + shards.size() + " shards";
    SafetensorsCheckpoint opened = openFolder(folder, kind, shards);
    try {
      requireIndexed(opened, index, indexFile);
    } catch (CorruptException e) {
      opened.close();
      throw e;
    }
    return opened;
  }

  private static SafetensorsCheckpoint openFolder(Path folder, String kind, List<Path> weights) {
    Storage storage = Storage.local();
    Path configFile = folder.resolve(CONFIG);
    Optional<ModelConfig> config =
        storage.exists(configFile)
            ? Optional.of(
                ModelConfig.parse(
                    storage.read(configFile, MAX_CONFIG_BYTES), configFile.toString()))
            : Optional.empty();
    Set<String> ours = Set.of(CONFIG, Manifest.FILE, ShardIndex.FILE);
    List<Path> sideFiles =
        storage.files(folder).stream()
            .filter(file -> !ours.contains(String.valueOf(file.getFileName())))
            .filter(file -> !isWeights(file))
            .filter(file -> !String.valueOf(file.getFileName()).startsWith(".smelt-"))
            .toList();
    return guarded(
        arena -> new SafetensorsCheckpoint(folder, kind, arena, weights, config, sideFiles));
  }

  /**
   * Weights of any format and their indexes are never side files: they would outweigh the result.
   */
  private static boolean isWeights(Path file) {
    String name = String.valueOf(file.getFileName());
    return name.endsWith(".safetensors")
        || name.endsWith(".safetensors.index.json")
        || name.endsWith(".bin")
        || name.endsWith(".bin.index.json")
        || name.endsWith(".pt")
        || name.endsWith(".pth")
        || name.endsWith(".h5")
        || name.endsWith(".msgpack")
        || name.endsWith(".onnx")
        || name.endsWith(".gguf");
  }

  private static void requireIndexed(
      SafetensorsCheckpoint opened, ShardIndex index, Path indexFile) {
    for (String name : index.shardOf().keySet()) {
      if (!opened.tensors.containsKey(name)) {
        throw new CorruptException(
            "index names a tensor that no shard holds", indexFile + "|" + name, "", "");
      }
    }
    opened.shardOf.forEach(
        (name, file) -> {
          String named = index.shardOf().get(name);
          if (named == null) {
            throw new CorruptException(
                "shard holds a tensor that the index lacks",
                indexFile + "|" + name,
                "found it in " + file,
                "");
          }
          if (!named.equals(file)) {
            throw new CorruptException(
                "tensor in another shard than the index says",
                indexFile + "|" + name,
                "expected it in " + named + ", found it in " + file,
                "");
          }
        });
  }

  private interface Opener {
    SafetensorsCheckpoint open(Arena arena);
  }

  /** Unmaps everything again when opening fails half-way. */
  private static SafetensorsCheckpoint guarded(Opener opener) {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      SafetensorsCheckpoint checkpoint = opener.open(arena);
      opened = true;
      return checkpoint;
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public String kind() {
    return kind;
  }

  @Override
  public List<TensorView> tensors() {
    return List.copyOf(tensors.values());
  }

  @Override
  public Optional<TensorView> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  @Override
  public Map<String, String> metadata() {
    return metadata;
  }

  @Override
  public Optional<ModelConfig> config() {
    return config;
  }

  @Override
  public List<Path> weightFiles() {
    return weightFiles;
  }

  @Override
  public List<Path> sideFiles() {
    return sideFiles;
  }

  @Override
  public void close() {
    arena.close();
  }
}
