package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.ImageSize;
import dev.smelt.gpu.data.Normalization;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.network.Network;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of commands that run a network over data. */
final class DataMixin {

  static final String KINDS = ".txt, .jsonl, .tsv, .safetensors or a folder of images.";

  private static final int DEFAULT_BATCH = 8;

  @Option(
      names = "--script",
      paramLabel = "MODULE",
      description =
          "Run this TorchScript module (traced or scripted) with the tensors of CKPT put into it by"
              + " name, instead of the network that config.json names.")
  private @Nullable Path script;

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
          "Examples at a time; changes memory and speed, and the last digits of results (8;"
              + " statistics: see --memory).")
  private @Nullable Integer batch;

  @Option(
      names = "--size",
      paramLabel = "H|HxW",
      description =
          "Of images: scale by the one factor that makes them just cover HxW (bilinear,"
              + " antialiased; H alone: the short side becomes H), then cut out the middle. Without"
              + " it they must have the network's size.")
  private @Nullable String size;

  @Option(
      names = "--normalize",
      paramLabel = "MEAN/DEVIATION",
      description =
          "Of images: values, 0 to 1, minus MEAN and over DEVIATION, each for red, green and blue:"
              + " 0.485,0.456,0.406/0.229,0.224,0.225 (as they are).")
  private @Nullable String normalize;

  @Option(
      names = "--mask-rate",
      paramLabel = "P",
      description = "Of masked language models: probability with which a token is hidden (0.15).")
  private @Nullable Double maskRate;

  @Option(
      names = "--mask-seed",
      paramLabel = "SEED",
      description = "Of masked language models: which tokens are hidden (0).")
  private @Nullable Long maskSeed;

  OptionalInt givenBatch() {
    return batch == null ? OptionalInt.empty() : OptionalInt.of(batch);
  }

  int batch() {
    return batch == null ? DEFAULT_BATCH : batch;
  }

  /** Where there is no data to apply them to, none of these options may be given. */
  void refuseAsUseless(String missing) {
    SortedMap<String, String> given = new TreeMap<>(given());
    put(given, "--script", script);
    put(given, "--batch", batch);
    if (!given.isEmpty()) {
      throw new UsageException(
          given.firstKey() + " has no effect without " + missing, "add " + missing);
    }
  }

  /** The options that say which examples there are, as they were given. */
  SortedMap<String, String> given() {
    SortedMap<String, String> given = new TreeMap<>();
    put(given, "--seq-len", seqLen);
    put(given, "--samples", samples);
    put(given, "--shuffle", shuffle);
    put(given, "--size", size);
    put(given, "--normalize", normalize);
    put(given, "--mask-rate", maskRate);
    put(given, "--mask-seed", maskSeed);
    return given;
  }

  private static void put(Map<String, String> given, String option, @Nullable Object value) {
    if (value != null) {
      given.put(option, value.toString());
    }
  }

  /** The network that the data go through. */
  Network load(Checkpoint checkpoint, ComputeDevice device) {
    return script == null
        ? Network.load(checkpoint, device)
        : Network.script(checkpoint, script, device);
  }

  Optional<Path> script() {
    return Optional.ofNullable(script);
  }

  DataOptions options() {
    return new DataOptions(
        seqLen == null ? OptionalInt.empty() : OptionalInt.of(seqLen),
        samples == null ? OptionalInt.empty() : OptionalInt.of(samples),
        shuffle == null ? OptionalLong.empty() : OptionalLong.of(shuffle),
        Optional.ofNullable(size).map(ImageSize::parse),
        Optional.ofNullable(normalize).map(Normalization::parse),
        maskRate == null ? OptionalDouble.empty() : OptionalDouble.of(maskRate),
        maskSeed == null ? OptionalLong.empty() : OptionalLong.of(maskSeed));
  }

  /** As {@link #read(Path, Checkpoint, Network)}, with other examples of another file. */
  Dataset read(Path file, Checkpoint checkpoint, Network network, OptionalInt others) {
    DataOptions options = options();
    try (Tokenizer tokenizer = Tokenizers.whenNeeded(checkpoint)) {
      return Dataset.read(
          file,
          tokenizer,
          network.input(),
          new DataOptions(
              options.seqLen(),
              others,
              OptionalLong.empty(),
              options.size(),
              options.normalization(),
              options.maskRate(),
              options.maskSeed()));
    }
  }

  /** The examples in {@code file}, made ready as the model wants them. */
  Dataset read(Path file, Checkpoint checkpoint, Network network) {
    try (Tokenizer tokenizer = Tokenizers.whenNeeded(checkpoint)) {
      return Dataset.read(file, tokenizer, network.input(), options());
    }
  }
}
