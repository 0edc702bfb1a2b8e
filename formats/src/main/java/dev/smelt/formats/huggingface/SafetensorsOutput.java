package dev.smelt.formats.huggingface;

import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.StorageException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.packed.PackedFormat;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes a Hugging Face folder, or one safetensors file with its manifest beside it. */
public final class SafetensorsOutput implements CheckpointWriter {

  /** Headers, config and manifest: a share of the weights that is always enough. */
  private static final double SPACE_RESERVE = 0.01;

  private final OutputOptions options;
  private final Staging staging;
  private final FolderOutput files;

  private SafetensorsOutput(OutputOptions options, Staging staging) {
    this.options = options;
    this.staging = staging;
    this.files = new FolderOutput(staging, "");
  }

  /** See {@link CheckpointWriter#create}. */
  public static CheckpointWriter create(OutputOptions options, Content content) {
    requireReplaceable(options);
    if (PackedFormat.isMarked(content.metadata())) {
      options.requirePackable();
    }
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
  static void requireReplaceable(OutputOptions options) {
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

  /** See {@link OutputOptions#requirePackable}. */
  public static boolean isNameOfPlain(Path file) {
    return file.endsWith(WeightNames.PLAIN.single());
  }

  private void begin(Content content) {
    requireSpace(staging, options, content.bytes());
    begin(options, files, content);
  }

  static void begin(OutputOptions options, FolderOutput files, Content content) {
    if (options.isSingleFile()) {
      files.beginFile(fileName(options), content);
    } else {
      files.beginFolder(content, options.shardBytes());
    }
  }

  /**
   * @param bytes of weights that will be written
   * @throws StorageException when the disk has not the space
   */
  static void requireSpace(Staging staging, OutputOptions options, long bytes) {
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

  @Override
  public TensorSlot slot(String name) {
    return files.slot(name);
  }

  @Override
  public Manifest commit(Manifest manifest) {
    return commit(options, staging, files, manifest);
  }

  static Manifest commit(
      OutputOptions options, Staging staging, FolderOutput files, Manifest manifest) {
    files.finish();
    Manifest complete = manifest.withFiles(files.written());
    String name = options.isSingleFile() ? Manifest.nameBeside(fileName(options)) : Manifest.FILE;
    staging.write(name, complete.toJson());
    if (options.isSingleFile()) {
      staging.commitFiles(name, fileName(options));
    } else {
      staging.commitFolder();
    }
    return complete;
  }

  @Override
  public void commitWithoutManifest() {
    commit(options, staging, files);
  }

  static void commit(OutputOptions options, Staging staging, FolderOutput files) {
    files.finish();
    if (options.isSingleFile()) {
      staging.commitFiles(fileName(options));
    } else {
      staging.commitFolder();
    }
  }

  private static String fileName(OutputOptions options) {
    return String.valueOf(options.target().getFileName());
  }

  @Override
  public void close() {
    try (staging) {
      files.close();
    }
  }
}
