package dev.smelt.cli.command;

import dev.smelt.compress.factorize.FisherMetric;
import dev.smelt.compress.factorize.Metric;
import dev.smelt.compress.factorize.PlainMetric;
import dev.smelt.compress.factorize.Side;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of what counts as close to a change. */
final class DeltaMetricMixin {

  /** What {@code --metric} takes. */
  enum MetricName {
    PLAIN,
    FISHER;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Option(
      names = "--metric",
      paramLabel = "plain|fisher",
      description = "What counts as close: all weights alike, or by Fisher information (plain).")
  private MetricName metric = MetricName.PLAIN;

  @Option(
      names = "--stats",
      paramLabel = "FILE",
      description =
          "Statistics of each model, in order, or one file for all, from smelt fisher; those of the"
              + " base will do.")
  private List<Path> stats = new ArrayList<>();

  @Option(
      names = "--side",
      paramLabel = "input|output|both",
      description = "Weights of --metric fisher: sums over outputs, inputs or both (input).")
  private @Nullable Side side;

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
    if (metric == MetricName.PLAIN) {
      refuseUnused("--stats", !stats.isEmpty());
      refuseUnused("--side", side != null);
      refuseUnused("--any-model", anyModel);
    } else if (stats.size() != 1 && stats.size() != models) {
      throw new UsageException(
          stats.size() + " statistics files for " + models + " models",
          "give --stats once, or once per model in order; smelt fisher computes them");
    }
  }

  private static void refuseUnused(String option, boolean given) {
    if (given) {
      throw new UsageException(
          option + " has no effect with --metric plain", "use --metric fisher");
    }
  }

  /** The statistics of the i-th model, where the metric needs them. */
  Optional<Path> file(int model) {
    return stats.isEmpty()
        ? Optional.empty()
        : Optional.of(stats.get(stats.size() == 1 ? 0 : model));
  }

  Metric of(Optional<Statistics> statistics) {
    return statistics.isPresent()
        ? new FisherMetric(statistics.get(), side == null ? Side.INPUT : side)
        : new PlainMetric();
  }

  void describe(Map<String, Object> parameters) {
    parameters.put("metric", metric.toString());
    if (metric == MetricName.FISHER) {
      parameters.put("side", (side == null ? Side.INPUT : side).toString());
    }
  }
}
