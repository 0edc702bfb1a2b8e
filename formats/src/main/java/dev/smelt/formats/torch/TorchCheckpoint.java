package dev.smelt.formats.torch;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.huggingface.WeightsFolder;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Weights as PyTorch saves them: a file on its own, or a Hugging Face folder with one or more. */
public final class TorchCheckpoint implements Checkpoint {

  private static final WeightsFolder.Naming NAMING =
      new WeightsFolder.Naming("pytorch_model.bin", "pytorch_model.bin.index.json", ".bin");

  private final Path path;
  private final String kind;
  private final Arena arena;
  private final Map<String, TensorView> tensors = new LinkedHashMap<>();

  /** Tensor name → name of the file that holds it. */
  private final Map<String, String> shardOf = new LinkedHashMap<>();

  private final Map<String, String> metadata;
  private final Optional<ModelConfig> config;
  private final List<Path> weightFiles;
  private final List<Path> sideFiles;

  private TorchCheckpoint(
      Path path, Optional<WeightsFolder> folder, Arena arena, List<Path> weightFiles) {
    this.path = path;
    this.arena = arena;
    this.weightFiles = List.copyOf(weightFiles);
    this.config = folder.flatMap(WeightsFolder::config);
    this.sideFiles = folder.map(WeightsFolder::sideFiles).orElse(List.of());
    List<TorchFile> files = weightFiles.stream().map(this::read).toList();
    Map<String, String> all = new TreeMap<>();
    files.forEach(file -> all.putAll(file.metadata()));
    this.metadata = Collections.unmodifiableMap(all);
    this.kind =
        folder
            .map(found -> "Hugging Face folder of PyTorch weights" + found.shards())
            .orElse(files.getFirst().kind());
    folder.ifPresent(found -> found.requireIndexed(shardOf));
  }

  private TorchFile read(Path file) {
    TorchFile opened = TorchFile.open(file, arena);
    for (TensorView view : opened.tensors()) {
      if (tensors.putIfAbsent(view.name(), view) != null) {
        throw new CorruptException(
            "tensor in two shards", file + "|" + view.name(), "expected it once", "");
      }
      shardOf.put(view.name(), String.valueOf(file.getFileName()));
    }
    return opened;
  }

  /** Whether a file begins like one of PyTorch, whatever its name. */
  public static boolean isFile(Path file) {
    return TorchFile.isTorch(file);
  }

  public static Checkpoint openFile(Path file) {
    return open(file, Optional.empty(), List.of(file));
  }

  /** Whether a folder holds weights of PyTorch under the names that loaders look for. */
  public static boolean isFolderOf(Path folder) {
    return NAMING.isIn(folder);
  }

  public static Checkpoint openFolder(Path folder) {
    WeightsFolder found = WeightsFolder.of(folder, NAMING);
    return open(folder, Optional.of(found), found.weights());
  }

  /** Unmaps everything again when opening fails half-way. */
  private static Checkpoint open(Path path, Optional<WeightsFolder> folder, List<Path> files) {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      Checkpoint checkpoint = new TorchCheckpoint(path, folder, arena, files);
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
  public List<String> leftOut() {
    return metadata.keySet().stream()
        .filter(key -> key.startsWith(TorchTensors.LEFT_OUT))
        .map(key -> key.substring(TorchTensors.LEFT_OUT.length()))
        .toList();
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
