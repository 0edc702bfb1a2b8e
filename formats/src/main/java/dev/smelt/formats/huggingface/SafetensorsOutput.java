package dev.smelt.formats.huggingface;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.StorageException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.Manifest.WrittenFile;
import dev.smelt.formats.safetensors.SafetensorsWriter;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Writes a Hugging Face folder, or one safetensors file with its manifest beside it. */
public final class SafetensorsOutput implements CheckpointWriter {

  /** Headers, config and manifest: a share of the weights that is always enough. */
  private static final double SPACE_RESERVE = 0.01;

  private final OutputOptions options;
  private final Staging staging;
  private final List<SafetensorsWriter> writers = new ArrayList<>();
  private final Map<String, TensorSlot> slots = new HashMap<>();

  /** Files in the order in which they are listed: weights, index, config, texts, side files. */
  private final List<String> names = new ArrayList<>();

  private SafetensorsOutput(OutputOptions options, Staging staging) {
    this.options = options;
    this.staging = staging;
  }

  /** See {@link CheckpointWriter#create}. */
  public static CheckpointWriter create(OutputOptions options, Content content) {
    requireReplaceable(options);
    Staging staging = Storage.local().stage(options.target(), options.overwrite());
    SafetensorsOutput output = new SafetensorsOutput(options, staging);
    boolean ready = false;
    try {
      output.begin(content);
      ready = true;
      return output;
    } finally {
      if (!ready) {
        output.close();
      }
    }
  }

  /** Replacing deletes: a folder that never was a checkpoint is not what the user meant. */
  private static void requireReplaceable(OutputOptions options) {
    Path target = options.target();
    if (!options.overwrite() || !Storage.local().isFolder(target)) {
      return;
    }
    boolean isOurs =
        SafetensorsCheckpoint.isFolderOf(target) || Storage.local().isEmptyFolder(target);
    if (options.isSingleFile() || !isOurs) {
      throw new UsageException(
          "will not replace a folder that holds no checkpoint [" + target + "]",
          "choose another name or remove it yourself");
    }
  }

  private void begin(Content content) {
    requireSpace(content.bytes());
    Map<String, String> metadata = new TreeMap<>(content.metadata());
    metadata.put("format", "pt");
    if (options.isSingleFile()) {
      addWeights(fileName(), content.tensors(), metadata);
      return;
    }
    List<List<TensorInfo>> shards = shards(content.tensors());
    List<String> files = ShardIndex.names(shards.size());
    Map<String, String> shardOf = new TreeMap<>();
    for (int i = 0; i < shards.size(); i++) {
      addWeights(files.get(i), shards.get(i), metadata);
      for (TensorInfo info : shards.get(i)) {
        shardOf.put(info.name(), files.get(i));
      }
    }
    if (shards.size() > 1) {
      addText(ShardIndex.FILE, ShardIndex.write(content.bytes(), content.parameters(), shardOf));
    }
    content.config().ifPresent(config -> addText(WeightsFolder.CONFIG, config.toJson()));
    content.texts().forEach(this::addText);
    content.sideFiles().forEach(this::addCopy);
  }

  private void requireSpace(long bytes) {
    try {
      long free = Files.getFileStore(staging.file(".")).getUsableSpace();
      long needed = bytes + (long) (bytes * SPACE_RESERVE);
      if (free < needed) {
        throw new StorageException(
            "not enough space",
            options.target().toString(),
            "needs " + needed + " bytes, free " + free,
            "free some or choose another disk");
      }
    } catch (IOException e) {
      throw new StorageException("cannot tell free space", options.target(), e);
    }
  }

  private List<List<TensorInfo>> shards(List<TensorInfo> tensors) {
    List<List<TensorInfo>> shards = new ArrayList<>();
    List<TensorInfo> shard = new ArrayList<>();
    long bytes = 0;
    for (TensorInfo info : tensors) {
      if (!shard.isEmpty() && bytes + info.bytes() > options.shardBytes()) {
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
    SafetensorsWriter writer = new SafetensorsWriter(staging.file(name), tensors, metadata);
    writers.add(writer);
    slots.putAll(writer.slots());
    names.add(name);
  }

  private void addText(String name, String text) {
    staging.write(name, text);
    names.add(name);
  }

  private void addCopy(Path file) {
    staging.copy(file);
    names.add(String.valueOf(file.getFileName()));
  }

  private String fileName() {
    return String.valueOf(options.target().getFileName());
  }

  private String manifestName() {
    return options.isSingleFile() ? Manifest.nameBeside(fileName()) : Manifest.FILE;
  }

  @Override
  public TensorSlot slot(String name) {
    TensorSlot slot = slots.get(name);
    if (slot == null) {
      throw new IllegalArgumentException("no slot planned for " + name);
    }
    return slot;
  }

  @Override
  public Manifest commit(Manifest manifest) {
    finishWeights();
    List<WrittenFile> written = new ArrayList<>();
    for (String name : names) {
      Path file = staging.file(name);
      written.add(new WrittenFile(name, Storage.local().size(file), Hashing.sha256(file)));
    }
    Manifest complete = manifest.withFiles(written);
    addText(manifestName(), complete.toJson());
    if (options.isSingleFile()) {
      staging.commitFiles(manifestName(), fileName());
    } else {
      staging.commitFolder();
    }
    return complete;
  }

  @Override
  public void commitWithoutManifest() {
    finishWeights();
    if (options.isSingleFile()) {
      staging.commitFiles(fileName());
    } else {
      staging.commitFolder();
    }
  }

  private void finishWeights() {
    for (TensorSlot slot : slots.values()) {
      if (!slot.isComplete()) {
        throw new IllegalStateException("tensor not completely written: " + slot.info().name());
      }
    }
    writers.forEach(SafetensorsWriter::close);
  }

  @Override
  public void close() {
    try {
      writers.forEach(SafetensorsWriter::close);
    } finally {
      staging.close();
    }
  }
}
