package dev.smelt.cli.command;

import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistics;
import java.util.Optional;
import picocli.CommandLine.Mixin;

/** Options of what counts as close to a change. */
final class DeltaMetricMixin {

  @Mixin private MetricOptions options = new MetricOptions();

  @Mixin private FisherSide side = new FisherSide();

  @Mixin private StatisticsPerModel statistics = new StatisticsPerModel();

  StatisticsPerModel statistics() {
    return statistics;
  }

  /**
   * @throws UsageException when options do not go together
   */
  void check(int models) {
    options.check(side.get(), !statistics.files().isEmpty(), StatisticsPerModel.ADVICE);
    statistics.check(models);
  }

  MetricSpec of(Optional<Statistics> opened) {
    return options.of(side.get(), opened);
  }
}
