package dev.smelt.cli.command;

import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.compress.metric.MetricSpec.Kind;
import dev.smelt.compress.metric.Side;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistics;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that name a metric, whatever its statistics are of. */
final class MetricOptions {

  @Option(
      names = "--metric",
      paramLabel = "plain|fisher|activation|kronecker",
      description =
          "What counts as close: all weights alike; sums of diagonal Fisher information; the"
              + " layer's outputs on the data; Fisher information of both sides of the layer"
              + " (the last that the statistics allow; plain without).")
  private @Nullable Kind kind;

  @Option(
      names = "--damping",
      paramLabel = "D",
      description =
          "Of --metric activation and kronecker: added to the diagonal of Gram matrices, as a share"
              + " of its mean (1e-4).")
  private @Nullable Double damping;

  /**
   * What can be said before any file is opened.
   *
   * @param side of {@link Kind#FISHER}, if it was named
   * @param hasStatistics whether there are statistics
   * @param advice how to give statistics
   * @throws UsageException when options do not go together
   */
  void check(@Nullable Side side, boolean hasStatistics, String advice) {
    if (!hasStatistics) {
      if (kind != null && kind != Kind.PLAIN) {
        throw new UsageException("--metric " + kind + " needs statistics", advice);
      }
      var _ = MetricSpec.of(Kind.PLAIN, side, damping);
    } else if (kind != null) {
      var _ = MetricSpec.of(kind, side, damping);
      Useless.refuse("--stats", kind == Kind.PLAIN, "with --metric plain");
    }
  }

  /**
   * The metric that was named, or the best that the statistics allow.
   *
   * @param side as of {@link #check}
   */
  MetricSpec of(@Nullable Side side, Optional<Statistics> statistics) {
    Kind chosen = kind == null ? statistics.map(MetricSpec::bestFor).orElse(Kind.PLAIN) : kind;
    return MetricSpec.of(chosen, side, damping);
  }
}
