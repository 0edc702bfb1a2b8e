package dev.smelt.cli.command;

import dev.smelt.cli.Units;
import dev.smelt.formats.OutputOptions;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where a checkpoint is written, and in how many files. */
final class TargetMixin {

  @Option(
      names = {"-o", "--output"},
      paramLabel = "OUT",
      required = true,
      description = "Where to write: a file when it ends in .safetensors, otherwise a folder.")
  private Path target = Path.of("");

  @Option(names = "--overwrite", description = "Replace OUT if it exists.")
  private boolean overwrite;

  @Option(
      names = "--shard-size",
      paramLabel = "SIZE",
      description = "Split a folder's weights into files of at most this size (5GB).")
  private @Nullable String shardSize;

  OutputOptions options() {
    long shard =
        shardSize == null
            ? OutputOptions.DEFAULT_SHARD_BYTES
            : Units.bytes("--shard-size", shardSize);
    return new OutputOptions(target, overwrite, shard);
  }
}
