package dev.smelt.cli.command;

import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Statistics of several models of one base. */
final class StatisticsPerModel {

  static final String ADVICE =
      "give --stats once, or once per model in order; smelt fisher computes them";

  @Option(
      names = "--stats",
      paramLabel = "FILE",
      description =
          "Statistics of each model, in order, or one file for all, from smelt fisher; those of the"
              + " base will do.")
  private List<Path> stats = new ArrayList<>();

  @Option(
      names = "--any-model",
      description = "Accept statistics of a model that is neither the one nor the base.")
  private boolean anyModel;

  List<Path> files() {
    return List.copyOf(stats);
  }

  /**
   * @throws UsageException when there are too few or too many
   */
  void check(int models) {
    Useless.refuse("--any-model", anyModel && stats.isEmpty(), "without --stats");
    if (stats.size() > 1 && stats.size() != models) {
      throw new UsageException(
          stats.size() + " statistics files for " + models + " models", ADVICE);
    }
  }

  /** The statistics of the i-th model, if any were given. */
  Optional<Path> file(int model) {
    return stats.isEmpty()
        ? Optional.empty()
        : Optional.of(stats.get(stats.size() == 1 ? 0 : model));
  }

  /** Statistics of the base weight its matrices as well. */
  void requireModel(Statistics statistics, String modelSha256, Optional<String> baseSha256) {
    Optional<String> made = statistics.provenance().modelSha256();
    boolean ofBase = made.isPresent() && made.equals(baseSha256);
    if (!anyModel && !ofBase) {
      statistics.requireModel(modelSha256);
    }
  }
}
