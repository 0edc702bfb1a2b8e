package dev.smelt.formats.huggingface;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.packed.PackedFormat;
import dev.smelt.formats.packed.UnpackedTensors;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * Weights in mapped files of any format: one on its own, or those of a Hugging Face folder. Packed
 * tensors appear as the plain ones that they stand for.
 */
public final class MappedCheckpoint implements Checkpoint {

  /**
   * What one file holds.
   *
   * @param kind of a file on its own, in words for a person
   * @param metadata strings of its header
   */
  public record WeightsFile(String kind, List<TensorView> tensors, Map<String, String> metadata) {}

  /** How files of a format are read. */
  public interface Format {

    /** Reads the description of the tensors; views live as long as {@code arena}. */
    WeightsFile read(Path file, Arena arena);

    /** What a folder of such files is, in words for a person. */
    String folderKind();

    /**
     * Metadata of the whole.
     *
     * @param files those of each file, in order
     */
    Map<String, String> metadata(List<Map<String, String>> files);

    /** What the metadata list of tensors and values that are not part of the model. */
    List<String> leftOut(Map<String, String> metadata);
  }

  private final Path path;
  private final String kind;
  private final Arena arena;
  private final UnpackedTensors tensors;
  private final Map<String, String> metadata;
  private final List<String> leftOut;
  private final Optional<ModelConfig> config;
  private final List<Path> weightFiles;
  private final List<Path> sideFiles;

  private MappedCheckpoint(
      Path path,
      Optional<WeightsFolder> folder,
      List<WeightsFolder.Part> parts,
      Format format,
      Arena arena) {
    this.path = path;
    this.arena = arena;
    this.weightFiles = parts.stream().map(WeightsFolder.Part::file).toList();
    this.config = folder.flatMap(WeightsFolder::config).map(PackedFormat::unmark);
    this.sideFiles = folder.map(WeightsFolder::sideFiles).orElse(List.of());
    SequencedMap<String, TensorView> stored = new LinkedHashMap<>();
    Map<String, String> shardOf = new LinkedHashMap<>();
    List<WeightsFile> own = new ArrayList<>();
    for (WeightsFolder.Part part : parts) {
      WeightsFile file = format.read(part.file(), arena);
      add(part, file, folder, stored, shardOf);
      if (!part.isShared()) {
        own.add(file);
      }
    }
    // What a shared file says of itself is not said of this model.
    this.metadata =
        own.isEmpty()
            ? Map.of()
            : PackedFormat.unmark(
                format.metadata(own.stream().map(WeightsFile::metadata).toList()), path.toString());
    this.leftOut = format.leftOut(metadata);
    folder.ifPresent(found -> found.requireIndexed(shardOf));
    this.tensors = new UnpackedTensors(stored, path.toString());
    String files =
        folder
            .map(found -> format.folderKind() + found.shards())
            .orElseGet(() -> own.getFirst().kind());
    this.kind = tensors.arePacked() ? files + ", packed" : files;
  }

  /**
   * @param stored gets its tensors that are the model's
   * @param shardOf gets the name of the file for each of them
   */
  private void add(
      WeightsFolder.Part part,
      WeightsFile file,
      Optional<WeightsFolder> folder,
      Map<String, TensorView> stored,
      Map<String, String> shardOf) {
    for (TensorView view : file.tensors()) {
      if (folder.isPresent() && !folder.get().isOwn(part, view.name())) {
        continue;
      }
      if (stored.putIfAbsent(view.name(), view) != null) {
        throw new CorruptException(
            "tensor in two shards", part.file() + "|" + view.name(), "expected it once", "");
      }
      shardOf.put(view.name(), part.name());
    }
  }

  /** A file on its own. */
  public static Checkpoint ofFile(Path file, Format format) {
    WeightsFolder.Part part = new WeightsFolder.Part(String.valueOf(file.getFileName()), file);
    return open(file, Optional.empty(), List.of(part), format);
  }

  /** All weights of a folder; shards must be those of its index. */
  public static Checkpoint ofFolder(WeightsFolder folder, Format format) {
    return open(folder.folder(), Optional.of(folder), folder.weights(), format);
  }

  /** Unmaps everything again when opening fails half-way. */
  private static Checkpoint open(
      Path path, Optional<WeightsFolder> folder, List<WeightsFolder.Part> parts, Format format) {
    Arena arena = Arena.ofShared();
    boolean opened = false;
    try {
      Checkpoint checkpoint = new MappedCheckpoint(path, folder, parts, format, arena);
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
    return List.copyOf(tensors.tensors().values());
  }

  @Override
  public Optional<TensorView> find(String name) {
    return Optional.ofNullable(tensors.tensors().get(name));
  }

  @Override
  public Map<String, String> metadata() {
    return metadata;
  }

  @Override
  public List<String> leftOut() {
    return leftOut;
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
    tensors.close();
    arena.close();
  }
}
