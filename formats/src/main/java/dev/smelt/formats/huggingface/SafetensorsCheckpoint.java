package dev.smelt.formats.huggingface;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Weights in safetensors: a Hugging Face folder with one file or shards, or a file on its own. */
public final class SafetensorsCheckpoint implements Checkpoint {

  private static final WeightsFolder.Naming NAMING =
      new WeightsFolder.Naming("model.safetensors", ShardIndex.FILE, ".safetensors");

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
    return NAMING.isIn(folder);
  }

  public static Checkpoint openFolder(Path folder) {
    WeightsFolder found = WeightsFolder.of(folder, NAMING);
    return guarded(
        arena -> {
          SafetensorsCheckpoint opened =
              new SafetensorsCheckpoint(
                  folder,
                  "Hugging Face folder" + found.shards(),
                  arena,
                  found.weights(),
                  found.config(),
                  found.sideFiles());
          found.requireIndexed(opened.shardOf);
          return opened;
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
