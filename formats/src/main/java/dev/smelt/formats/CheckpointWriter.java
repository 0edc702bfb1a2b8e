package dev.smelt.formats;

import dev.smelt.formats.huggingface.PackingOutput;
import dev.smelt.formats.huggingface.SafetensorsOutput;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.safetensors.TensorSlot;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A checkpoint being written. All tensors are known at the start, so headers and offsets are too,
 * and any thread may fill any slot in any order. Nothing is visible before {@link #commit}; closing
 * without it leaves nothing.
 */
public interface CheckpointWriter extends AutoCloseable {

  /**
   * What goes into the output.
   *
   * @param tensors in the order in which they fill shards
   * @param metadata strings for the headers; {"format": "pt"} is added, as other readers expect it
   * @param config written as config.json into folders
   * @param sideFiles copied into folders unchanged, except those that {@code texts} replaces
   * @param texts written into folders: name of the file → its content, in the order of the names
   */
  record Content(
      List<TensorInfo> tensors,
      Map<String, String> metadata,
      Optional<ModelConfig> config,
      List<Path> sideFiles,
      SortedMap<String, String> texts) {

    public Content {
      tensors = List.copyOf(tensors);
      metadata = Map.copyOf(metadata);
      texts = Collections.unmodifiableSortedMap(new TreeMap<>(texts));
      Set<String> generated = texts.keySet();
      for (String file : generated) {
        if (file.isEmpty() || !file.equals(String.valueOf(Path.of(file).getFileName()))) {
          throw new IllegalArgumentException("not the name of a file: '" + file + "'");
        }
      }
      sideFiles =
          sideFiles.stream()
              .filter(file -> !generated.contains(String.valueOf(file.getFileName())))
              .toList();
      Set<String> names = new HashSet<>();
      for (TensorInfo info : tensors) {
        if (!names.add(info.name())) {
          throw new MismatchException(
              "two output tensors of one name", info.name(), "expected it once", "");
        }
        requireStorable(info);
      }
    }

    /** Without texts. */
    public Content(
        List<TensorInfo> tensors,
        Map<String, String> metadata,
        Optional<ModelConfig> config,
        List<Path> sideFiles) {
      this(tensors, metadata, config, sideFiles, Collections.emptySortedMap());
    }

    private static void requireStorable(TensorInfo info) {
      try {
        var _ = info.bytes();
      } catch (ArithmeticException e) {
        throw new UnsupportedException(
            "tensor cannot be stored as " + info.dtype().label(),
            info.name(),
            "shape " + info.shape() + " does not fill whole bytes or overflows",
            "choose another --dtype");
      }
    }

    public long bytes() {
      return tensors.stream().mapToLong(TensorInfo::bytes).sum();
    }

    public long parameters() {
      return tensors.stream().mapToLong(TensorInfo::elements).sum();
    }
  }

  /**
   * @throws UsageException when the target exists and may not be replaced
   * @throws StorageException when it cannot be written or the disk has not the space
   */
  static CheckpointWriter create(OutputOptions options, Content content) {
    return SafetensorsOutput.create(options, content);
  }

  /**
   * As {@link #create}, with tensors packed that take less room so. Plain ones are written first,
   * to the same disk, which needs room for both.
   *
   * @param content as of a plain output
   */
  static CheckpointWriter createPacked(
      OutputOptions options, Content content, int threads, Progress progress) {
    return PackingOutput.create(options, content, threads, progress);
  }

  TensorSlot slot(String name);

  /**
   * Checks that every tensor is complete, hashes the files, adds them to the manifest, writes it
   * and makes the output visible.
   *
   * @return the manifest as written
   */
  Manifest commit(Manifest manifest);

  /** As {@link #commit(Manifest)} for a file that tells its story in its own metadata. */
  void commitWithoutManifest();

  @Override
  void close();
}
