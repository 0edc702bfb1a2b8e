package dev.smelt.formats;

import dev.smelt.formats.huggingface.SafetensorsCheckpoint;
import dev.smelt.formats.huggingface.SafetensorsOutput;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.List;

/**
 * Where and how a checkpoint is written.
 *
 * @param target a file when it ends in .safetensors, otherwise a folder
 * @param overwrite replace what is there
 * @param shardBytes a folder's weights are split into files of at most this many bytes of tensors;
 *     a larger tensor gets a file of its own
 */
public record OutputOptions(Path target, boolean overwrite, long shardBytes) {

  /** The Hub's limit for a file it shows and streams well. */
  public static final long DEFAULT_SHARD_BYTES = 5_000_000_000L;

  public OutputOptions {
    if (shardBytes <= 0) {
      throw new UsageException("shard size must be positive, found " + shardBytes, "");
    }
  }

  public static OutputOptions to(Path target) {
    return new OutputOptions(target, false, DEFAULT_SHARD_BYTES);
  }

  /**
   * Finds out before the work begins whether its result could be written.
   *
   * @param inputs which no output may replace, not even with {@code overwrite}
   * @throws UsageException when the target exists and may not be replaced
   * @throws StorageException when it cannot be written
   */
  public void requireWritable(List<Path> inputs) {
    for (Path input : inputs) {
      requireOutside(input);
      SafetensorsCheckpoint.sharedFiles(input)
          .forEach(shared -> requireOutside(input.resolve(shared)));
    }
    Storage.local().stage(target, overwrite).close();
  }

  /**
   * Finds out before the work begins whether packed weights may have this name.
   *
   * @throws UsageException when loaders would take them for plain ones under it
   */
  public void requirePackable() {
    if (isSingleFile() && SafetensorsOutput.isNameOfPlain(target)) {
      throw new UsageException(
          "other software would take packed weights for plain ones under this name ["
              + target
              + "]",
          "choose another name, such as packed.safetensors");
    }
  }

  private void requireOutside(Path input) {
    if (Storage.local().isInside(input, target)) {
      throw new UsageException(
          "output would replace an input [" + target + "]", "choose another name");
    }
  }

  public boolean isSingleFile() {
    return target.toString().endsWith(".safetensors");
  }
}
