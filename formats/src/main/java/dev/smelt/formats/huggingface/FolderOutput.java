package dev.smelt.formats.huggingface;

import dev.smelt.formats.CheckpointWriter.Content;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest.WrittenFile;
import dev.smelt.formats.packed.PackedFormat;
import dev.smelt.formats.safetensors.SafetensorsWriter;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The files of one folder, or a weights file on its own, in the making. */
final class FolderOutput implements AutoCloseable {

  private final Staging staging;
  private final String prefix;
  private final List<SafetensorsWriter> writers = new ArrayList<>();
  private final Map<String, TensorSlot> slots = new HashMap<>();
  private final Map<String, String> fileOf = new TreeMap<>();

  /** Files in the order in which they are listed: weights, index, config, texts, side files. */
  private final List<String> names = new ArrayList<>();

  /**
   * @param prefix of its files' names in the output: empty, or a folder's with a slash
   */
  FolderOutput(Staging staging, String prefix) {
    this.staging = staging;
    this.prefix = prefix;
  }

  /** Weights only, in a file of that name. */
  void beginFile(String name, Content content) {
    addWeights(name, content.tensors(), metadata(content));
  }

  /** Weights, index, config and all that lies beside. */
  void beginFolder(Content content, long shardBytes) {
    WeightNames names = WeightNames.of(content);
    begin(content, shardBytes, names, names::files, Map.of());
  }

  /**
   * A folder whose model has tensors that lie elsewhere as well, which its index names.
   *
   * @param outside by the name of the tensor
   */
  void beginMember(Content content, long shardBytes, Map<String, Outside> outside) {
    WeightNames names = WeightNames.of(content);
    begin(content, shardBytes, names, names::numbered, outside);
  }

  /**
   * A tensor of the model that is not in its folder.
   *
   * @param file its path from the folder
   */
  record Outside(String file, TensorInfo info) {}

  private interface Naming {
    List<String> names(int shards);
  }

  private void begin(
      Content content,
      long shardBytes,
      WeightNames weights,
      Naming naming,
      Map<String, Outside> outside) {
    List<List<TensorInfo>> shards = shards(content.tensors(), shardBytes);
    if (!outside.isEmpty() && content.tensors().isEmpty()) {
      shards = List.of();
    }
    List<String> files = naming.names(shards.size());
    for (int i = 0; i < shards.size(); i++) {
      addWeights(files.get(i), shards.get(i), metadata(content));
      for (TensorInfo info : shards.get(i)) {
        fileOf.put(info.name(), files.get(i));
      }
    }
    if (shards.size() > 1 || !outside.isEmpty()) {
      long bytes = content.bytes();
      long parameters = content.parameters();
      Map<String, String> shardOf = new TreeMap<>(fileOf);
      for (Map.Entry<String, Outside> one : outside.entrySet()) {
        shardOf.put(one.getKey(), one.getValue().file());
        bytes += one.getValue().info().bytes();
        parameters += one.getValue().info().elements();
      }
      addText(weights.index(), ShardIndex.write(bytes, parameters, shardOf));
    }
    content.config().ifPresent(config -> addText(WeightsFolder.CONFIG, config.toJson()));
    content.texts().forEach(this::addText);
    content.sideFiles().forEach(this::addCopy);
  }

  private static Map<String, String> metadata(Content content) {
    Map<String, String> metadata = new TreeMap<>(content.metadata());
    if (!PackedFormat.isMarked(metadata)) {
      metadata.put("format", "pt");
    }
    return metadata;
  }

  private static List<List<TensorInfo>> shards(List<TensorInfo> tensors, long shardBytes) {
    List<List<TensorInfo>> shards = new ArrayList<>();
    List<TensorInfo> shard = new ArrayList<>();
    long bytes = 0;
    for (TensorInfo info : tensors) {
      if (!shard.isEmpty() && bytes + info.bytes() > shardBytes) {
        shards.add(shard);
        shard = new ArrayList<>();
        bytes = 0;
      }
      shard.add(info);
      bytes += info.bytes();
    }
    shards.add(shard);
    return shards;
  }

  private void addWeights(String name, List<TensorInfo> tensors, Map<String, String> metadata) {
    SafetensorsWriter writer =
        new SafetensorsWriter(staging.file(prefix + name), tensors, metadata);
    writers.add(writer);
    slots.putAll(writer.slots());
    names.add(name);
  }

  private void addText(String name, String text) {
    staging.write(prefix + name, text);
    names.add(name);
  }

  private void addCopy(Path file) {
    String name = String.valueOf(file.getFileName());
    staging.copy(file, prefix + name);
    names.add(name);
  }

  /** The file that holds a tensor. */
  String fileOf(String tensor) {
    String file = fileOf.get(tensor);
    if (file == null) {
      throw new IllegalArgumentException("no file planned for " + tensor);
    }
    return file;
  }

  TensorSlot slot(String name) {
    TensorSlot slot = slots.get(name);
    if (slot == null) {
      throw new IllegalArgumentException("no slot planned for " + prefix + name);
    }
    return slot;
  }

  /** Completes the weights. */
  void finish() {
    for (TensorSlot slot : slots.values()) {
      if (!slot.isComplete()) {
        throw new IllegalStateException(
            "tensor not completely written: " + prefix + slot.info().name());
      }
    }
    writers.forEach(SafetensorsWriter::close);
  }

  /** All files, named from the output's top, once they are finished. */
  List<WrittenFile> written() {
    List<WrittenFile> written = new ArrayList<>();
    for (String name : names) {
      Path file = staging.file(prefix + name);
      written.add(new WrittenFile(prefix + name, Storage.local().size(file), Hashing.sha256(file)));
    }
    return written;
  }

  @Override
  public void close() {
    writers.forEach(SafetensorsWriter::close);
  }
}
