package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.network.Network;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of commands that run a network over data. */
final class DataMixin {

  private static final int DEFAULT_BATCH = 8;

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
      description =
          "Examples at a time; changes memory and speed, and the last digits of results (8).")
  private @Nullable Integer batch;

  OptionalInt givenBatch() {
    return batch == null ? OptionalInt.empty() : OptionalInt.of(batch);
  }

  int batch() {
    return batch == null ? DEFAULT_BATCH : batch;
  }

  /** Where there is no data to apply them to, none of these options may be given. */
  void refuseAsUseless(String missing) {
    Map<String, Boolean> given =
        Map.of(
            "--seq-len", seqLen != null,
            "--samples", samples != null,
            "--shuffle", shuffle != null,
            "--batch", batch != null);
    for (Map.Entry<String, Boolean> option : new TreeMap<>(given).entrySet()) {
      if (option.getValue()) {
        throw new UsageException(
            option.getKey() + " has no effect without " + missing, "add " + missing);
      }
    }
  }

  DataOptions options() {
    return new DataOptions(
        seqLen == null ? OptionalInt.empty() : OptionalInt.of(seqLen),
        samples == null ? OptionalInt.empty() : OptionalInt.of(samples),
        shuffle == null ? OptionalLong.empty() : OptionalLong.of(shuffle));
  }

  /** The examples in {@code file}, cut into tokens as the model wants them. */
  Dataset read(Path file, Checkpoint checkpoint, Network network) {
    try (Tokenizer tokenizer = Tokenizers.forCheckpoint(checkpoint)) {
      return Dataset.read(file, tokenizer, network.input(), options());
    }
  }
}
