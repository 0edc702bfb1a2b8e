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
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
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

  @Mixin private TuneMixin tuning = new TuneMixin();

  boolean isWanted() {
    return refine != null || tuning.isWanted();
  }

  boolean needsNetwork() {
    return tuning.hasData();
  }

  List<Path> inputs() {
    return tuning.inputs();
  }

  /**
   * What can be said before any file is opened.
   *
   * @param hasStatistics whether there are statistics
   */
  void check(DataMixin how, boolean hasStatistics) {
    tuning.check(how, refine != null, "--refine or --tune");
    if (refine != null && refine < 1) {
      throw new UsageException("--refine " + refine + " is out of range", "use 1 or more");
    }
    if (refine != null && refine > 1 && tuning.hasData()) {
      throw new UsageException(
          "--refine " + refine + " with --train: a second walk would find the same again",
          "use --refine 1");
    }
    if (refine != null && !tuning.hasData() && !hasStatistics) {
      throw new UsageException(
          "--refine needs data, or statistics with Gram matrices", "give --train or --stats");
    }
    if (refine != null && how.script().isPresent()) {
      throw new UsageException(
          "--refine cannot look into a TorchScript module", "leave out --script or --refine");
    }
  }

  /**
   * Reads {@code --train}, so that data that do not suit the model are refused before there are
   * factors.
   */
  Optional<Dataset> data(DataMixin how, Checkpoint dense, ComputeDevice device) {
    return tuning.data(how, dense, device);
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
      if (tuning.isWanted()) {
        TuneOptions options = tuning.options(how);
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

  /** For the manifest. */
  Map<String, Object> parameters(DataMixin how) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    if (refine != null) {
      parameters.put("refine", refine);
    }
    parameters.putAll(tuning.parameters(how));
    return parameters;
  }
}
