package dev.smelt.cli.command;

import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Statistics of one model. */
final class StatisticsInput {

  @Option(
      names = "--stats",
      paramLabel = "FILE",
      description = "Statistics of this model, from smelt fisher.")
  private @Nullable Path stats;

  @Option(names = "--any-model", description = "Accept statistics of another model.")
  private boolean anyModel;

  boolean isGiven() {
    return stats != null;
  }

  /** What can be said before any file is opened. */
  void check() {
    Useless.refuse("--any-model", anyModel && stats == null, "without --stats");
  }

  List<Path> inputs() {
    return stats == null ? List.of() : List.of(stats);
  }

  /**
   * @param modelSha256 of which the statistics must be
   */
  Optional<Statistics> open(String modelSha256) {
    if (stats == null) {
      return Optional.empty();
    }
    Statistics statistics = Statistics.open(stats);
    try {
      if (!anyModel) {
        statistics.requireModel(modelSha256);
      }
      return Optional.of(statistics);
    } catch (RuntimeException e) {
      statistics.close();
      throw e;
    }
  }

  /** For the manifest. */
  List<Manifest.Input> manifestInputs() {
    return stats == null ? List.of() : List.of(Manifests.file("statistics", stats));
  }
}
