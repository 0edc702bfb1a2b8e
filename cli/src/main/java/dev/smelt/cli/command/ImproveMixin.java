package dev.smelt.cli.command;

import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.Improver;
import dev.smelt.compress.refine.RefineOptions;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.gpu.training.TuneOptions;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that make factors better after they were cut. */
final class ImproveMixin {

  @Option(
      names = "--refine",
      paramLabel = "N",
      description =
          "With --train, N = 1: fit each layer to what the layers before it have become. Without, N"
              + " rounds of least squares for A given B and back under the Gram matrices of --stats.")
  private @Nullable Integer refine;

  @Option(
      names = "--tune",
      paramLabel = "STEPS",
      description = "Train the factors, and nothing else, for this many steps of AdamW on --train.")
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
      description = "Data for --refine and --tune; never the data that results are judged on.")
  private @Nullable Path train;

  @Option(
      names = "--train-samples",
      paramLabel = "N",
      description = "Use the first N examples of --train (all).")
  private @Nullable Integer trainSamples;

  boolean isWanted() {
    return refine != null || tune != null;
  }

  boolean needsNetwork() {
    return train != null;
  }

  List<Path> inputs() {
    return train == null ? List.of() : List.of(train);
  }

  /**
   * What can be said before any file is opened.
   *
   * @param hasStatistics whether there are statistics
   */
  void check(DataMixin how, boolean hasStatistics) {
    if (tune == null) {
      refuse("--lr", learningRate, "--tune");
      refuse("--distill", distill, "--tune");
      refuse("--tune-seed", seed, "--tune");
    } else {
      var _ = tuneOptions(how);
      if (train == null) {
        throw new UsageException("--tune needs data", "give --train");
      }
    }
    if (refine != null && refine < 1) {
      throw new UsageException("--refine " + refine + " is out of range", "use 1 or more");
    }
    if (refine != null && refine > 1 && train != null) {
      throw new UsageException(
          "--refine " + refine + " with --train: a second walk would find the same again",
          "use --refine 1");
    }
    if (refine != null && train == null && !hasStatistics) {
      throw new UsageException(
          "--refine needs data, or statistics with Gram matrices", "give --train or --stats");
    }
    if (!isWanted()) {
      refuse("--train", train, "--refine or --tune");
    }
    if (train == null) {
      refuse("--train-samples", trainSamples, "--train");
    }
    if (isWanted() && how.script().isPresent()) {
      throw new UsageException(
          "--refine and --tune cannot look into a TorchScript module",
          "leave out --script or --refine and --tune");
    }
  }

  private static void refuse(String option, @Nullable Object value, String missing) {
    if (value != null) {
      throw new UsageException(option + " has no effect without " + missing, "add " + missing);
    }
  }

  private TuneOptions tuneOptions(DataMixin how) {
    double rate = learningRate == null ? TuneOptions.LEARNING_RATE : learningRate;
    TuneOptions options = TuneOptions.of(tune == null ? 1 : tune, rate).withBatch(how.batch());
    options = distill == null ? options : options.withDistillation(distill);
    return seed == null ? options : options.withSeed(seed);
  }

  /**
   * Reads {@code --train}, so that data that do not suit the model are refused before there are
   * factors.
   */
  Optional<Dataset> data(DataMixin how, Checkpoint dense, ComputeDevice device) {
    if (train == null) {
      return Optional.empty();
    }
    try (Network network = how.load(dense, device)) {
      return Optional.of(how.read(train, dense, network, samples()));
    }
  }

  /**
   * @param dense the original
   * @param data of {@link #data}
   * @param statistics of the original
   * @param damping of Gram matrices
   * @param measured told of every model on the way, with its name
   */
  FactoredModel improve(
      FactoredModel fitted,
      Checkpoint dense,
      Optional<Dataset> data,
      DataMixin how,
      Improver improver,
      Optional<Statistics> statistics,
      double damping,
      ComputeDevice device,
      BiConsumer<String, FactoredModel> measured) {
    if (data.isEmpty()) {
      FactoredModel refined = improver.refine(fitted, statistics.orElseThrow(), damping, rounds());
      measured.accept("refined", refined);
      return refined;
    }
    try (Network original = how.load(dense, device);
        Network compressed = how.load(fitted, device)) {
      FactoredModel model = fitted;
      if (refine != null) {
        RefineOptions options = new RefineOptions(RefineOptions.DEFAULT.damping(), how.batch());
        model = improver.refine(model, original, compressed, data.get(), options);
        measured.accept("refined", model);
      }
      if (tune != null) {
        TuneOptions options = tuneOptions(how);
        Optional<Network> teacher =
            options.distillation() > 0 ? Optional.of(original) : Optional.empty();
        model = improver.tune(model, compressed, data.get(), options, teacher);
        measured.accept("tuned", model);
      }
      return model;
    }
  }

  private int rounds() {
    return refine == null ? 0 : refine;
  }

  private OptionalInt samples() {
    return trainSamples == null ? OptionalInt.empty() : OptionalInt.of(trainSamples);
  }

  /** For the manifest. */
  Map<String, Object> parameters(DataMixin how) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    if (refine != null) {
      parameters.put("refine", refine);
    }
    if (tune != null) {
      TuneOptions options = tuneOptions(how);
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
