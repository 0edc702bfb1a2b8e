package dev.smelt.cli.command;

import dev.smelt.cli.Units;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of commands that write a checkpoint. */
final class OutputMixin {

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

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "Floating-point type of what is written: f32, bf16, f16, … (as in the input).")
  private @Nullable String dtype;

  OutputOptions options() {
    long shard =
        shardSize == null
            ? OutputOptions.DEFAULT_SHARD_BYTES
            : Units.bytes("--shard-size", shardSize);
    return new OutputOptions(target, overwrite, shard);
  }

  Optional<DType> dtype() {
    return Optional.ofNullable(dtype).map(text -> Units.floatType("--dtype", text));
  }
}
