package dev.smelt.cli.command;

import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options that say what counts as close to a matrix. */
final class MetricMixin {

  @Mixin private MetricOptions options = new MetricOptions();

  @Mixin private FisherSide side = new FisherSide();

  @Option(
      names = "--stats",
      paramLabel = "FILE",
      description = "Statistics of this model, from smelt fisher.")
  private @Nullable Path stats;

  @Option(names = "--any-model", description = "Accept statistics of another model.")
  private boolean anyModel;

  /** A metric and the file behind it. */
  record Chosen(MetricSpec spec, Metric metric, Optional<Statistics> statistics)
      implements AutoCloseable {
    @Override
    public void close() {
      statistics.ifPresent(Statistics::close);
    }
  }

  /** Files that are read. */
  List<Path> inputs() {
    return stats == null ? List.of() : List.of(stats);
  }

  boolean hasStatistics() {
    return stats != null;
  }

  /** What can be said before any file is opened. */
  void check() {
    options.check(
        side.get(), stats != null, anyModel, "give --stats FILE; smelt fisher computes it");
  }

  /**
   * @param modelSha256 of which the statistics must be
   */
  Chosen open(String modelSha256) {
    if (stats == null) {
      MetricSpec spec = options.of(side.get(), Optional.empty());
      return new Chosen(spec, spec.metric(Optional.empty()), Optional.empty());
    }
    Statistics statistics = Statistics.open(stats);
    try {
      if (!anyModel) {
        statistics.requireModel(modelSha256);
      }
      Optional<Statistics> opened = Optional.of(statistics);
      MetricSpec spec = options.of(side.get(), opened);
      return new Chosen(spec, spec.metric(opened), opened);
    } catch (RuntimeException e) {
      statistics.close();
      throw e;
    }
  }

  /** For the manifest. */
  List<Manifest.Input> manifestInputs() {
    return stats == null ? List.of() : List.of(Manifests.file("statistics", stats));
  }

  /** All that decompositions depend on. */
  Map<String, String> madeFrom(MetricSpec spec, String modelSha256) {
    Map<String, String> from = new LinkedHashMap<>();
    from.put("model", modelSha256);
    spec.parameters().forEach((name, value) -> from.put(name, value.toString()));
    if (stats != null) {
      from.put("statistics", Hashing.sha256(stats));
    }
    return from;
  }
}
