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
import picocli.CommandLine.Mixin;

/** Options that say what counts as close to a matrix. */
final class MetricMixin {

  @Mixin private MetricOptions options = new MetricOptions();

  @Mixin private FisherSide side = new FisherSide();

  @Mixin private StatisticsInput stats = new StatisticsInput();

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
    return stats.inputs();
  }

  boolean hasStatistics() {
    return stats.isGiven();
  }

  /** What can be said before any file is opened. */
  void check() {
    options.check(side.get(), stats.isGiven(), "give --stats FILE; smelt fisher computes it");
    stats.check();
  }

  /**
   * @param modelSha256 of which the statistics must be
   */
  Chosen open(String modelSha256) {
    Optional<Statistics> statistics = stats.open(modelSha256);
    try {
      MetricSpec spec = options.of(side.get(), statistics);
      return new Chosen(spec, spec.metric(statistics), statistics);
    } catch (RuntimeException e) {
      statistics.ifPresent(Statistics::close);
      throw e;
    }
  }

  /** For the manifest. */
  List<Manifest.Input> manifestInputs() {
    return stats.manifestInputs();
  }

  /** All that decompositions depend on. */
  Map<String, String> madeFrom(MetricSpec spec, String modelSha256) {
    Map<String, String> from = new LinkedHashMap<>();
    from.put("model", modelSha256);
    spec.parameters().forEach((name, value) -> from.put(name, value.toString()));
    stats.inputs().forEach(file -> from.put("statistics", Hashing.sha256(file)));
    return from;
  }
}
