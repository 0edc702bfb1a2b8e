package dev.smelt.cli.command;

import dev.smelt.compress.factorize.FactorizeOptions;
import dev.smelt.compress.factorize.Factorizer;
import dev.smelt.compress.factorize.FisherMetric;
import dev.smelt.compress.factorize.LayerSelection;
import dev.smelt.compress.factorize.Metric;
import dev.smelt.compress.factorize.PlainMetric;
import dev.smelt.compress.factorize.RankPolicy;
import dev.smelt.compress.factorize.Side;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Replaces matrices by products of two thin ones. */
@Command(
    name = "factorize",
    description = "Replace matrices by products of two thin ones, with the error of each.",
    footer = {
      "%nA matrix stays dense where its factors would take more bytes; the manifest lists it.",
      "%nExamples:",
      "  smelt factorize model/ -o small/ --keep 0.5",
      "  smelt factorize model/ -o small/ --metric fisher --stats F.safetensors --max-error 0.1"
    })
public final class FactorizeCommand extends SmeltCommand {

  /** What {@code --metric} takes. */
  enum MetricName {
    PLAIN,
    FISHER;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Parameters(paramLabel = "CKPT", description = "The model to factorise.")
  private Path path = Path.of("");

  @Option(
      names = "--metric",
      paramLabel = "plain|fisher",
      description = "What counts as close: all weights alike, or by Fisher information (plain).")
  private MetricName metricName = MetricName.PLAIN;

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

  @Option(names = "--any-model", description = "Accept statistics of another model.")
  private boolean anyModel;

  @ArgGroup(exclusive = true, multiplicity = "1")
  private Policy policy = new Policy();

  /** How much to keep: exactly one way of saying it. */
  static final class Policy {
    @Option(
        names = "--keep",
        paramLabel = "SHARE",
        description = "Keep this share of each matrix's elements, in (0, 1].")
    private @Nullable Double keep;

    @Option(
        names = "--max-error",
        paramLabel = "ERROR",
        description =
            "Smallest rank whose relative error in the metric, as written, is at most this.")
    private @Nullable Double maxError;

    RankPolicy toRankPolicy() {
      if (keep != null) {
        return new RankPolicy.KeepRatio(keep);
      }
      if (maxError != null) {
        return new RankPolicy.MaxError(maxError);
      }
      throw new UsageException("no rank policy", "give --keep or --max-error");
    }

    void describe(Map<String, Object> parameters) {
      if (keep != null) {
        parameters.put("keep", keep);
      }
      if (maxError != null) {
        parameters.put("maxError", maxError);
      }
    }
  }

  @Option(
      names = "--include",
      paramLabel = "GLOB",
      description = "Factorise matrices whose name matches (attention and feed-forward matrices).")
  private List<String> include = new ArrayList<>();

  @Option(names = "--exclude", paramLabel = "GLOB", description = "Leave these matrices alone.")
  private List<String> exclude = new ArrayList<>();

  @Option(
      names = "--allow-larger",
      description = "Write factors even where they take more bytes than the matrix.")
  private boolean allowLarger;

  @Mixin private OutputMixin output = new OutputMixin();

  @Override
  protected Result execute() {
    RankPolicy rankPolicy = policy.toRankPolicy();
    OutputOptions options = output.options();
    options.requireWritable(stats == null ? List.of(path) : List.of(path, stats));
    if (metricName == MetricName.PLAIN) {
      refuseUnused("--stats", stats != null);
      refuseUnused("--side", side != null);
      refuseUnused("--any-model", anyModel);
      try (Checkpoint checkpoint = Checkpoint.open(path)) {
        return factorize(
            checkpoint,
            ContentHash.of(checkpoint, root().threads()),
            new PlainMetric(),
            rankPolicy,
            options);
      }
    }
    if (stats == null) {
      throw new UsageException(
          "--metric fisher needs statistics", "give --stats FILE; smelt fisher computes it");
    }
    try (Checkpoint checkpoint = Checkpoint.open(path);
        Statistics statistics = Statistics.open(stats)) {
      String sha256 = ContentHash.of(checkpoint, root().threads());
      if (!anyModel) {
        statistics.requireModel(sha256);
      }
      Metric metric = new FisherMetric(statistics, side == null ? Side.INPUT : side);
      return factorize(checkpoint, sha256, metric, rankPolicy, options);
    }
  }

  private static void refuseUnused(String option, boolean given) {
    if (given) {
      throw new UsageException(
          option + " has no effect with --metric plain", "use --metric fisher");
    }
  }

  private Result factorize(
      Checkpoint checkpoint,
      String sha256,
      Metric metric,
      RankPolicy rankPolicy,
      OutputOptions options) {
    FactorizeOptions what =
        new FactorizeOptions(
            metric, rankPolicy, new LayerSelection(include, exclude), output.dtype(), allowLarger);
    try (ComputeDevice device = root().openDevice();
        Factorizer factorizer =
            Factorizer.decompose(checkpoint, what, device, options, root().progress())) {
      CheckpointWriter.Content content = factorizer.content();
      try (CheckpointWriter writer = CheckpointWriter.create(options, content)) {
        factorizer.write(writer);
        Manifest manifest =
            writer.commit(
                Manifests.of(
                    "factorize",
                    parameters(metric, device),
                    inputs(checkpoint, sha256),
                    List.of(checkpoint),
                    content,
                    factorizer.records(),
                    factorizer.notes()));
        return Result.of(
            manifest, () -> ManifestText.of(manifest, options.target(), root().console().width()));
      }
    }
  }

  private List<Manifest.Input> inputs(Checkpoint checkpoint, String sha256) {
    List<Manifest.Input> inputs = new ArrayList<>();
    inputs.add(Manifests.model(checkpoint, sha256));
    if (stats != null) {
      inputs.add(Manifests.file("statistics", stats));
    }
    return inputs;
  }

  private Map<String, Object> parameters(Metric metric, ComputeDevice device) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("metric", metric.name());
    if (metric instanceof FisherMetric fisher) {
      parameters.put("side", fisher.side().toString());
    }
    policy.describe(parameters);
    parameters.put("include", include);
    parameters.put("exclude", exclude);
    parameters.put("allowLarger", allowLarger);
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    parameters.put("threads", root().threads());
    parameters.put("device", device.description());
    return parameters;
  }
}
