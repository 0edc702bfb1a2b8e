package dev.smelt.cli.command;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.training.TuneOptions;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of training what compression has left, and of the data for that. */
final class TuneMixin {

  @Option(
      names = "--tune",
      paramLabel = "STEPS",
      description =
          "Train what compression has left of the matrices, and nothing else, for this many steps"
              + " of AdamW on --train.")
  private @Nullable Integer tune;

  @Option(
      names = "--lr",
      paramLabel = "RATE",
      description = "Of --tune: the largest learning rate (1e-4).")
  private @Nullable Double learningRate;

  @Option(
      names = "--distill",
      paramLabel = "SHARE",
      description =
          "Of --tune: how much of the target is the dense model's prediction and not the label, 0"
              + " to 1 (1).")
  private @Nullable Double distill;

  @Option(
      names = "--tune-seed",
      paramLabel = "SEED",
      description = "Of --tune: the order of examples (0).")
  private @Nullable Long seed;

  @Option(
      names = "--train",
      paramLabel = "D",
      description = "Data for --tune and the like; never the data that results are judged on.")
  private @Nullable Path train;

  @Option(
      names = "--train-samples",
      paramLabel = "N",
      description = "Use the first N examples of --train (all).")
  private @Nullable Integer trainSamples;

  boolean isWanted() {
    return tune != null;
  }

  boolean hasData() {
    return train != null;
  }

  List<Path> inputs() {
    return train == null ? List.of() : List.of(train);
  }

  /**
   * What can be said before any file is opened.
   *
   * @param usesData whether something else needs --train
   * @param users of --train
   */
  void check(DataMixin how, boolean usesData, String users) {
    if (tune == null) {
      refuse("--lr", learningRate, "--tune");
      refuse("--distill", distill, "--tune");
      refuse("--tune-seed", seed, "--tune");
    } else {
      var _ = options(how);
      if (train == null) {
        throw new UsageException("--tune needs data", "give --train");
      }
      if (how.script().isPresent()) {
        throw new UsageException(
            "--tune cannot look into a TorchScript module", "leave out --script or --tune");
      }
    }
    if (tune == null && !usesData) {
      refuse("--train", train, users);
    }
    if (train == null) {
      refuse("--train-samples", trainSamples, "--train");
    }
  }

  private static void refuse(String option, @Nullable Object value, String missing) {
    if (value != null) {
      throw new UsageException(option + " has no effect without " + missing, "add " + missing);
    }
  }

  TuneOptions options(DataMixin how) {
    double rate = learningRate == null ? TuneOptions.LEARNING_RATE : learningRate;
    TuneOptions options = TuneOptions.of(tune == null ? 1 : tune, rate).withBatch(how.batch());
    options = distill == null ? options : options.withDistillation(distill);
    return seed == null ? options : options.withSeed(seed);
  }

  /**
   * Reads {@code --train}, so that data that do not suit the model are refused before there is work
   * to lose.
   */
  Optional<Dataset> data(DataMixin how, Checkpoint dense, ComputeDevice device) {
    if (train == null) {
      return Optional.empty();
    }
    try (Network network = how.load(dense, device)) {
      return Optional.of(how.read(train, dense, network, samples()));
    }
  }

  private OptionalInt samples() {
    return trainSamples == null ? OptionalInt.empty() : OptionalInt.of(trainSamples);
  }

  /** For the manifest. */
  Map<String, Object> parameters(DataMixin how) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    if (tune != null) {
      TuneOptions options = options(how);
      parameters.put("tune", options.steps());
      parameters.put("lr", options.learningRate());
      parameters.put("distill", options.distillation());
      parameters.put("tuneBatch", options.batch());
      parameters.put("tuneSeed", options.seed());
    }
    if (train != null) {
      parameters.put("train", train.toString());
      if (trainSamples != null) {
        parameters.put("trainSamples", trainSamples);
      }
    }
    return parameters;
  }
}
