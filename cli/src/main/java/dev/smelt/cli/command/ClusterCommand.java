package dev.smelt.cli.command;

import dev.smelt.compress.cluster.ClusterOptions;
import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.compress.sharing.ClusteredModels;
import dev.smelt.compress.sharing.Grouping;
import dev.smelt.compress.sharing.ModelClusterer;
import dev.smelt.compress.sharing.Panels;
import dev.smelt.compress.sharing.Side;
import dev.smelt.compress.sharing.ZooModel;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Stores matrices of one model or several in bases that they share. */
@Command(
    name = "cluster",
    description = "Store matrices in bases that they share, within a promised error.",
    footer = {
      "%nA basis is shared only where that takes fewer bytes than each matrix alone; matrices in no"
          + " cluster become factors of their own within the same error, or stay dense.",
      "%nExamples:",
      "  smelt cluster model/ -o small/ --max-error 0.3",
      "  smelt cluster model/ -o small/ --max-error 0.3 --algorithm incremental --rank 128"
          + " --data val.txt",
      "  smelt cluster base/ a/ b/ c/ --base base/ -o zoo/ --max-error 0.2"
    })
public final class ClusterCommand extends SmeltCommand {

  @Mixin private ZooMixin zoo = new ZooMixin();

  @Mixin private ClusterOptionsMixin how = new ClusterOptionsMixin();

  @Mixin private ClusterMetricMixin metric = new ClusterMetricMixin();

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
              + " captures, all in which it is found (the same matrix of all blocks; of several"
              + " models, the same matrix of all models).")
  private @Nullable String group;

  @Option(
      names = "--panel",
      paramLabel = "N",
      description =
          "Cut matrices into panels of N columns, each of which may share on its own; rows, where"
              + " inputs are shared (whole).")
  private @Nullable Integer panel;

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
      description =
          "Measure the loss before and after; of several models once for all, or once per model in"
              + " order; on "
              + DataMixin.KINDS)
  private List<Path> data = new ArrayList<>();

  @Mixin private DataMixin dataOptions = new DataMixin();

  @Mixin private FactorTypeMixin factorType = new FactorTypeMixin();

  @Mixin private OutputMixin output = new OutputMixin();

  @Override
  protected Result execute() {
    ClusterOptions what = how.get();
    List<String> names = zoo.names();
    metric.check(names.size());
    Grouping grouping =
        group != null
            ? Grouping.of(group)
            : names.size() > 1 ? Grouping.SAME_NAME : Grouping.SAME_PLACE;
    Panels panels = panel == null ? Panels.NONE : new Panels(OptionalInt.of(panel));
    if (panel != null && zoo.base().isPresent()) {
      throw new UsageException(
          "what models changed of a base cannot be cut into panels", "leave out --panel or --base");
    }
    if (data.isEmpty()) {
      dataOptions.refuseAsUseless("--data");
    } else if (data.size() > 1 && data.size() != names.size()) {
      throw new UsageException(
          data.size() + " files of data for " + names.size() + " models",
          "give --data once, or once per model in order");
    }
    OutputOptions target = output.options();
    List<Path> read = new ArrayList<>(zoo.inputs());
    read.addAll(metric.statistics().files());
    read.addAll(data);
    target.requireWritable(read);
    List<AutoCloseable> opened = new ArrayList<>();
    try (var _ = new ClosingAll(opened);
        ComputeDevice device = root().openDevice();
        ModelClusterer clusterer =
            new ModelClusterer(device, what, target, output.dtype(), factorType.get())) {
      ClusterInputs inputs = ClusterInputs.open(zoo, names, metric, root().threads(), opened);
      List<LossMeter> meters = meters(inputs.models(), device);
      ClusteredModels done =
          clusterer.cluster(
              inputs.models(),
              inputs.base(),
              new LayerSelection(include, exclude, false),
              grouping,
              panels,
              side.sides(),
              root().progress());
      for (int i = 0; i < meters.size(); i++) {
        meters.get(i).record("clustered", done.models().get(i));
      }
      List<Manifest.Measured> measured =
          meters.stream().flatMap(meter -> meter.measured().stream()).toList();
      ClusterOutput writer =
          new ClusterOutput(zoo.isZoo(), target, parameters(names, inputs.spec(), device));
      Manifest manifest = writer.write(done, inputs, measured);
      int width = root().console().width();
      return Result.of(manifest, () -> ManifestText.of(manifest, target.target(), width));
    }
  }

  private List<LossMeter> meters(List<ZooModel> models, ComputeDevice device) {
    List<LossMeter> meters = new ArrayList<>();
    for (int i = 0; i < models.size() && !data.isEmpty(); i++) {
      meters.add(
          new LossMeter(
              zoo.isZoo() ? models.get(i).name() : null,
              dataOptions,
              data.get(data.size() == 1 ? 0 : i),
              models.get(i).checkpoint(),
              device,
              root().progress()));
    }
    return meters;
  }

  private Map<String, Object> parameters(
      List<String> names, MetricSpec spec, ComputeDevice device) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("metric", spec.kind().toString());
    Double damping = spec.damping();
    if (damping != null) {
      parameters.put("damping", damping);
    }
    how.describe(parameters);
    parameters.put("side", side.toString());
    if (group != null) {
      parameters.put("group", group);
    }
    if (panel != null) {
      parameters.put("panel", panel);
    }
    parameters.put("include", include);
    parameters.put("exclude", exclude);
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    factorType.get().ifPresent(type -> parameters.put("factors", type.toString()));
    if (zoo.isZoo()) {
      parameters.put("names", names);
    }
    if (!data.isEmpty()) {
      parameters.put("data", data.stream().map(Path::toString).toList());
      parameters.putAll(dataOptions.given());
    }
    parameters.put("threads", root().threads());
    parameters.put("device", device.description());
    return parameters;
  }
}
