package dev.smelt.cli.command;

import dev.smelt.compress.cluster.ClusterOptions;
import dev.smelt.compress.cluster.ClusterOptions.Algorithm;
import dev.smelt.compress.cluster.ClusterOptions.Order;
import dev.smelt.compress.cluster.ClusteredOutput;
import dev.smelt.compress.cluster.Grouping;
import dev.smelt.compress.cluster.ModelClusterer;
import dev.smelt.compress.cluster.Side;
import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Stores matrices of a model in bases that they share. */
@Command(
    name = "cluster",
    description = "Store matrices in bases that they share, within a promised error.",
    footer = {
      "%nA basis is shared only where that takes fewer bytes than each matrix alone; matrices in no"
          + " cluster become factors of their own within the same error, or stay dense.",
      "%nExamples:",
      "  smelt cluster model/ -o small/ --max-error 0.3",
      "  smelt cluster model/ -o small/ --max-error 0.3 --algorithm incremental --rank 128"
          + " --data val.txt"
    })
public final class ClusterCommand extends SmeltCommand {

  @Parameters(paramLabel = "CKPT", description = "The model whose matrices are clustered.")
  private Path path = Path.of("");

  @Option(
      names = "--max-error",
      paramLabel = "E",
      required = true,
      description =
          "Allow every cluster the relative error E, √(Σ‖W−AB‖²/Σ‖W‖²), as written; in [0, 1).")
  private double maxError;

  @Option(
      names = "--per-block",
      description = "Promise the error to every matrix, and let every matrix count alike.")
  private boolean perBlock;

  @Option(
      names = "--algorithm",
      paramLabel = "max-norm|residual|incremental|exact",
      description =
          "How clusters are found: greedily by one of three bounds, or by exact spectra of unions,"
              + " merged in pairs (exact).")
  private Algorithm algorithm = Algorithm.EXACT;

  @Option(
      names = "--rank",
      paramLabel = "R",
      description = "The largest rank of a basis; needed by all algorithms but exact (any).")
  private @Nullable Integer rank;

  @Option(
      names = "--order",
      paramLabel = "norm|residual",
      description =
          "In which order matrices are offered to a cluster: rising norm, or rising share outside"
              + " of the first ones (norm).")
  private @Nullable Order order;

  @Option(
      names = "--patience",
      paramLabel = "N",
      description = "Stop after N clusters in a row that nothing joined (10).")
  private @Nullable Integer patience;

  @Option(
      names = "--oversampling",
      paramLabel = "P",
      description = "Of incremental: directions kept beside those of the rank (8).")
  private @Nullable Integer oversampling;

  /** What {@code --side} takes. */
  enum SideName {
    OUTPUT,
    INPUT,
    BEST;

    List<Side> sides() {
      return switch (this) {
        case OUTPUT -> List.of(Side.OUTPUT);
        case INPUT -> List.of(Side.INPUT);
        case BEST -> List.of(Side.values());
      };
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Option(
      names = "--side",
      paramLabel = "output|input|best",
      description = "What is shared: a basis of outputs, of inputs, or what saves more (best).")
  private SideName side = SideName.BEST;

  @Option(
      names = "--group",
      paramLabel = "REGEX",
      description =
          "Matrices may share where the captures of REGEX in their modules' names are equal; without"
              + " captures, all in which it is found (the same matrix of all blocks).")
  private @Nullable String group;

  @Option(
      names = "--include",
      paramLabel = "GLOB",
      description = "Look at matrices whose name matches (attention and feed-forward matrices).")
  private List<String> include = new ArrayList<>();

  @Option(names = "--exclude", paramLabel = "GLOB", description = "Leave these matrices alone.")
  private List<String> exclude = new ArrayList<>();

  @Option(
      names = "--data",
      paramLabel = "D",
      description = "Measure the loss before and after on " + DataMixin.KINDS)
  private @Nullable Path data;

  @Mixin private DataMixin how = new DataMixin();

  @Mixin private OutputMixin output = new OutputMixin();

  @Override
  protected Result execute() {
    ClusterOptions what = options();
    Grouping grouping = group == null ? Grouping.SAME_PLACE : Grouping.of(group);
    if (data == null) {
      how.refuseAsUseless("--data");
    }
    OutputOptions target = output.options();
    target.requireWritable(data == null ? List.of(path) : List.of(path, data));
    try (Checkpoint checkpoint = Checkpoint.open(path);
        ComputeDevice device = root().openDevice();
        ModelClusterer clusterer = new ModelClusterer(device, what, target, output.dtype())) {
      String sha256 = ContentHash.of(checkpoint, root().threads());
      Optional<LossMeter> meter =
          Optional.ofNullable(data)
              .map(file -> new LossMeter(how, file, checkpoint, device, root().progress()));
      ClusteredOutput done =
          clusterer.cluster(
              checkpoint,
              new LayerSelection(include, exclude, false),
              grouping,
              side.sides(),
              root().progress());
      meter.ifPresent(one -> one.record("clustered", done.model()));
      return write(done, checkpoint, sha256, what, meter, device);
    }
  }

  private Result write(
      ClusteredOutput done,
      Checkpoint checkpoint,
      String sha256,
      ClusterOptions what,
      Optional<LossMeter> meter,
      ComputeDevice device) {
    CheckpointWriter.Content content = done.model().content(output.dtype());
    try (CheckpointWriter writer = CheckpointWriter.create(output.options(), content)) {
      done.model().write(writer);
      Manifest manifest =
          writer.commit(
              Manifests.of(
                      "cluster",
                      parameters(what, device),
                      List.of(Manifests.model(checkpoint, sha256)),
                      List.of(checkpoint),
                      content,
                      done.records(),
                      done.model().notes())
                  .withClusters(done.clusters())
                  .withMeasured(meter.map(LossMeter::measured).orElse(List.of())));
      int width = root().console().width();
      return Result.of(manifest, () -> ManifestText.of(manifest, output.options().target(), width));
    }
  }

  private ClusterOptions options() {
    boolean exact = algorithm == Algorithm.EXACT;
    if (!exact && rank == null) {
      throw new UsageException("--algorithm " + algorithm + " needs a rank", "give --rank");
    }
    refuse("--order", order, exact, "with --algorithm exact");
    refuse("--patience", patience, exact, "with --algorithm exact");
    refuse(
        "--oversampling",
        oversampling,
        algorithm != Algorithm.INCREMENTAL,
        "without --algorithm incremental");
    return new ClusterOptions(
        algorithm,
        rank == null ? Integer.MAX_VALUE : rank,
        maxError,
        order == null ? Order.NORM : order,
        patience == null ? ClusterOptions.PATIENCE : patience,
        oversampling == null ? ClusterOptions.OVERSAMPLING : oversampling,
        perBlock);
  }

  private static void refuse(String option, @Nullable Object value, boolean useless, String why) {
    if (useless && value != null) {
      throw new UsageException(option + " has no effect " + why, "leave it out");
    }
  }

  private Map<String, Object> parameters(ClusterOptions what, ComputeDevice device) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("metric", "plain");
    parameters.put("algorithm", what.algorithm().toString());
    parameters.put("maxError", what.maxError());
    parameters.put("perBlock", what.perBlock());
    if (rank != null) {
      parameters.put("rank", rank);
    }
    if (what.algorithm() != Algorithm.EXACT) {
      parameters.put("order", what.order().toString());
      parameters.put("patience", what.patience());
    }
    if (what.algorithm() == Algorithm.INCREMENTAL) {
      parameters.put("oversampling", what.oversampling());
    }
    parameters.put("side", side.toString());
    if (group != null) {
      parameters.put("group", group);
    }
    parameters.put("include", include);
    parameters.put("exclude", exclude);
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    if (data != null) {
      parameters.put("data", data.toString());
      parameters.putAll(how.given());
    }
    parameters.put("threads", root().threads());
    parameters.put("device", device.description());
    return parameters;
  }
}
