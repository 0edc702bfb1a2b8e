package dev.smelt.cli.command;

import dev.smelt.compress.factorize.Metric;
import dev.smelt.compress.factorize.MetricSpec;
import dev.smelt.compress.factorize.MetricSpec.Kind;
import dev.smelt.compress.factorize.Side;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say what counts as close to a matrix. */
final class MetricMixin {

  @Option(
      names = "--metric",
      paramLabel = "plain|fisher|activation|kronecker",
      description =
          "What counts as close: all weights alike; sums of diagonal Fisher information; the"
              + " layer's outputs on the data; Fisher information of both sides of the layer"
              + " (the last that the statistics allow; plain without).")
  private @Nullable Kind kind;

  @Option(
      names = "--stats",
      paramLabel = "FILE",
      description = "Statistics of this model, from smelt fisher.")
  private @Nullable Path stats;

  @Option(
      names = "--side",
      paramLabel = "input|output|both",
      description = "Weights of --metric fisher: sums over outputs, inputs or both (input).")
  private @Nullable Side side;

  @Option(
      names = "--damping",
      paramLabel = "D",
      description =
          "Of --metric activation and kronecker: added to the diagonal of Gram matrices, as a share"
              + " of its mean (1e-4).")
  private @Nullable Double damping;

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

  /** What can be said before any file is opened. */
  void check() {
    if (stats == null) {
      if (kind != null && kind != Kind.PLAIN) {
        throw new UsageException(
            "--metric " + kind + " needs statistics",
            "give --stats FILE; smelt fisher computes it");
      }
      MetricSpec.of(Kind.PLAIN, side, damping);
      refuse("--any-model", anyModel, "without --stats");
      return;
    }
    if (kind != null) {
      MetricSpec.of(kind, side, damping);
      refuse("--stats", kind == Kind.PLAIN, "with --metric plain");
    }
  }

  private static void refuse(String option, boolean given, String why) {
    if (given) {
      throw new UsageException(option + " has no effect " + why, "leave it out");
    }
  }

  /**
   * @param modelSha256 of which the statistics must be
   */
  Chosen open(String modelSha256) {
    if (stats == null) {
      MetricSpec spec = MetricSpec.of(Kind.PLAIN, side, damping);
      return new Chosen(spec, spec.metric(Optional.empty()), Optional.empty());
    }
    Statistics statistics = Statistics.open(stats);
    try {
      if (!anyModel) {
        statistics.requireModel(modelSha256);
      }
      Kind chosen = kind == null ? MetricSpec.bestFor(statistics) : kind;
      MetricSpec spec = MetricSpec.of(chosen, side, damping);
      Optional<Statistics> opened = Optional.of(statistics);
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
