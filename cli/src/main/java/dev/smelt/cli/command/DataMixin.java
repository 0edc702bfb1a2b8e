package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.network.Network;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of commands that run a network over data. */
final class DataMixin {

  @Option(
      names = "--seq-len",
      paramLabel = "T",
      description = "Tokens of a window, or of the longest sequence (the network's maximum).")
  private @Nullable Integer seqLen;

  @Option(
      names = "--samples",
      paramLabel = "N",
      description = "Use the first N examples, in file order (all).")
  private @Nullable Integer samples;

  @Option(
      names = "--shuffle",
      paramLabel = "SEED",
      description = "Draw the N examples with this seed instead.")
  private @Nullable Long shuffle;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Examples at a time; changes memory and speed, not results (8).")
  private int batch = 8;

  int batch() {
    return batch;
  }

  DataOptions options() {
    return new DataOptions(
        seqLen == null ? OptionalInt.empty() : OptionalInt.of(seqLen),
        samples == null ? OptionalInt.empty() : OptionalInt.of(samples),
        shuffle == null ? OptionalLong.empty() : OptionalLong.of(shuffle));
  }

  /** The examples in {@code file}, cut into tokens as the model wants them. */
  Dataset read(Path file, Checkpoint checkpoint, Network network) {
    return Dataset.read(file, Tokenizers.forCheckpoint(checkpoint), network.input(), options());
  }
}
