package dev.smelt.cli.command;

import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options of what counts as close to a change. */
final class DeltaMetricMixin {

  private static final String ADVICE =
      "give --stats once, or once per model in order; smelt fisher computes them";

  @Mixin private MetricOptions options = new MetricOptions();

  @Option(
      names = "--stats",
      paramLabel = "FILE",
      description =
          "Statistics of each model, in order, or one file for all, from smelt fisher; those of the"
              + " base will do.")
  private List<Path> stats = new ArrayList<>();

  @Option(
      names = "--any-model",
      description = "Accept statistics of a model that is neither M nor B.")
  private boolean anyModel;

  List<Path> files() {
    return List.copyOf(stats);
  }

  boolean anyModel() {
    return anyModel;
  }

  /**
   * @throws UsageException when options do not go together
   */
  void check(int models) {
    options.check(!stats.isEmpty(), anyModel, ADVICE);
    if (stats.size() > 1 && stats.size() != models) {
      throw new UsageException(
          stats.size() + " statistics files for " + models + " models", ADVICE);
    }
  }

  /** The statistics of the i-th model, where the metric needs them. */
  Optional<Path> file(int model) {
    return stats.isEmpty()
        ? Optional.empty()
        : Optional.of(stats.get(stats.size() == 1 ? 0 : model));
  }

  MetricSpec of(Optional<Statistics> statistics) {
    return options.of(statistics);
  }
}
