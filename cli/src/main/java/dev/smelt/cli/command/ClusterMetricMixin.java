package dev.smelt.cli.command;

import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.compress.metric.Side;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistics;
import java.util.Optional;
import picocli.CommandLine.Mixin;

/** Options of what counts as close where matrices share a basis: both sides have weights. */
final class ClusterMetricMixin {

  @Mixin private MetricOptions options = new MetricOptions();

  @Mixin private StatisticsPerModel statistics = new StatisticsPerModel();

  StatisticsPerModel statistics() {
    return statistics;
  }

  /**
   * @throws UsageException when options do not go together
   */
  void check(int models) {
    options.check(null, !statistics.files().isEmpty(), StatisticsPerModel.ADVICE);
    statistics.check(models);
  }

  MetricSpec of(Optional<Statistics> opened) {
    MetricSpec spec = options.of(null, opened);
    return spec.kind() == MetricSpec.Kind.FISHER
        ? MetricSpec.of(spec.kind(), Side.BOTH, spec.damping())
        : spec;
  }
}
