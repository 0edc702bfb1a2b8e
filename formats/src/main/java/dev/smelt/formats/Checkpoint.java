package dev.smelt.formats;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * An opened model checkpoint of any readable kind. Opening reads headers only; tensors are mapped
 * and stay valid until {@link #close()}.
 */
public interface Checkpoint extends AutoCloseable {

  /** Opens a Hugging Face folder or a single weights file. */
  static Checkpoint open(Path path) {
    return CheckpointReaders.open(path);
  }

  /** Where it was opened from, as given. */
  Path path();

  /** What it is, in words for a person: "Hugging Face folder, 3 shards". */
  String kind();

  /**
   * All tensors, shard by shard; in a safetensors file by offset, in a file of PyTorch as the state
   * dict orders them.
   */
  List<TensorView> tensors();

  /** The tensor of that name. */
  Optional<TensorView> find(String name);

  /**
   * Free-form strings of a safetensors header, that of the first shard when there are several; of
   * files of PyTorch, what lies beside the model.
   */
  Map<String, String> metadata();

  /** Names of what the files hold beside the model and its metadata; output will lack it. */
  default List<String> leftOut() {
    return List.of();
  }

  /** config.json, where the kind has one. */
  Optional<ModelConfig> config();

  /** The files that hold weights, in order. */
  List<Path> weightFiles();

  /** Everything else a model needs beside weights and config: tokenizer files and the like. */
  List<Path> sideFiles();

  /**
   * @throws NotFoundException naming the checkpoint when there is no such tensor
   */
  default TensorView tensor(String name) {
    return find(name)
        .orElseThrow(
            () ->
                new NotFoundException(
                    "no such tensor",
                    path().toString(),
                    "expected '" + name + "'",
                    "see smelt inspect"));
  }

  default List<TensorInfo> infos() {
    return tensors().stream().map(TensorView::info).toList();
  }

  /** Bytes of all tensors, without headers. */
  default long bytes() {
    return tensors().stream().mapToLong(view -> view.info().bytes()).sum();
  }

  /**
   * Bytes of all tensors as they lie in the files: as {@link #bytes()}, or fewer where some are
   * packed.
   */
  default long fileBytes() {
    return tensors().stream().mapToLong(TensorView::fileBytes).sum();
  }

  /** Whether some tensors lie packed in the files. */
  default boolean isPacked() {
    return tensors().stream().anyMatch(TensorView::isPacked);
  }

  /** Elements of all tensors. */
  default long parameters() {
    return tensors().stream().mapToLong(TensorView::elements).sum();
  }

  @Override
  void close();
}
