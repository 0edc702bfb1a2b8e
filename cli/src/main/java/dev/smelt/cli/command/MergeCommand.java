package dev.smelt.cli.command;

import dev.smelt.compress.delta.AdaptedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.FisherMerge;
import dev.smelt.merge.HeadPolicy;
import dev.smelt.merge.LinearMerge;
import dev.smelt.merge.MergeInput;
import dev.smelt.merge.MergeMethod;
import dev.smelt.merge.MergeMethods;
import dev.smelt.merge.MergeOptions;
import dev.smelt.merge.MergePlan;
import dev.smelt.merge.MergePlanner;
import dev.smelt.merge.Merger;
import dev.smelt.merge.MethodDescription;
import dev.smelt.merge.SlerpMerge;
import dev.smelt.merge.TaskArithmeticMerge;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Combines models of one architecture into one. */
@Command(name = "merge", description = "Combine several models of one architecture into one.")
public final class MergeCommand extends SmeltCommand {

  private static final List<String> EXAMPLES =
      List.of(
          "%nExamples:",
          "  smelt merge a/ b/ -o ab/ --method linear --weight 0.7 --weight 0.3",
          "  smelt merge a/ b/ -o ab/ --method fisher --fisher a.safetensors --fisher b.safetensors");

  /** What {@code --method} takes. */
  enum MethodName {
    FISHER,
    LINEAR,
    SLERP,
    TASK_ARITHMETIC;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Parameters(
      paramLabel = "CKPT",
      arity = "1..*",
      description =
          "The models, or adapters with --base; names, config and tokenizer are those of the base, if"
              + " the method uses one, or else the first one's.")
  private List<Path> paths = new ArrayList<>();

  @Option(
      names = "--method",
      paramLabel = "NAME",
      required = true,
      description = "How to combine them: fisher, linear, slerp, task_arithmetic; see below.")
  private MethodName method = MethodName.LINEAR;

  @Option(
      names = "--fisher",
      paramLabel = "FILE",
      description = "Statistics of each model, in order, from smelt fisher.")
  private List<Path> fisher = new ArrayList<>();

  @Option(
      names = "--weight",
      paramLabel = "λ",
      description =
          "Weight of each model, in order; fisher, linear: scaled to sum to one (equal);"
              + " task_arithmetic: as it is (1).")
  private List<Double> weights = new ArrayList<>();

  @Option(
      names = "--no-normalize",
      description = "fisher: do not divide each model's Fisher by its norm.")
  private boolean noNormalize;

  @Option(
      names = "--floor",
      paramLabel = "F",
      description = "fisher: smallest Fisher value (1e-6).")
  private @Nullable Double floor;

  @Option(names = "--favor-first", description = "fisher: floor the first model only.")
  private boolean favorFirst;

  @Option(
      names = "--lambda",
      paramLabel = "λ",
      description = "task_arithmetic: how much of all changes together is added (1).")
  private @Nullable Double lambda;

  @Option(names = "--normalize", description = "task_arithmetic: divide the weights by their sum.")
  private boolean normalize;

  @Option(
      names = "--t",
      paramLabel = "T",
      description = "slerp: how far from the first model to the second, 0 to 1 (0.5).")
  private @Nullable Double t;

  @Option(names = "--any-model", description = "Accept statistics of another model.")
  private boolean anyModel;

  @Option(
      names = "--heads",
      paramLabel = "first|error",
      description =
          "Task heads the models do not share: keep the first model's, or refuse (first).")
  private HeadPolicy heads = HeadPolicy.FIRST;

  @Option(names = "--allow-non-finite", description = "Let NaN and infinities through.")
  private boolean allowNonFinite;

  @Mixin private BaseMixin base = new BaseMixin();

  @Mixin private OutputMixin output = new OutputMixin();

  /** What the methods say of themselves is shown below the options. */
  @Spec
  void describeMethods(CommandSpec spec) {
    List<String> lines = new ArrayList<>();
    lines.add("%nMethods:");
    for (MethodDescription method : MergeMethods.all()) {
      lines.add(String.format("  %-15s %s", method.name(), method.equation()));
      lines.add(" ".repeat(18) + method.reference());
    }
    lines.addAll(EXAMPLES);
    spec.usageMessage().footer(lines.toArray(String[]::new));
  }

  @Override
  protected Result execute() {
    MergeMethod chosen = method();
    OutputOptions options = output.options();
    options.requireWritable(base.with(Stream.concat(paths.stream(), fisher.stream()).toList()));
    if (!chosen.usesBase()) {
      base.requireUse(paths);
    } else if (base.given().isEmpty()) {
      throw new UsageException(
          "--method " + chosen.description().name() + " needs a base", "give --base");
    }
    List<AutoCloseable> opened = new ArrayList<>();
    try (LazyDevice device = new LazyDevice(root()::openDevice);
        var _ = new ClosingAll(opened)) {
      List<MergeInput> inputs = open(chosen, device, opened);
      MergeOptions how = new MergeOptions(output.dtype(), heads, anyModel, allowNonFinite);
      MergePlan plan = MergePlanner.plan(inputs, chosen, how);
      return merge(chosen, inputs, plan, options);
    }
  }

  private MergeMethod method() {
    MergeMethod chosen =
        switch (method) {
          case FISHER ->
              new FisherMerge(
                  weights,
                  !noNormalize,
                  floor == null ? FisherMerge.DEFAULT_FLOOR : floor,
                  favorFirst);
          case LINEAR -> new LinearMerge(weights);
          case SLERP -> new SlerpMerge(t == null ? SlerpMerge.DEFAULT_T : t);
          case TASK_ARITHMETIC ->
              new TaskArithmeticMerge(
                  weights, lambda == null ? TaskArithmeticMerge.DEFAULT_SCALE : lambda, normalize);
        };
    refuseUnused(chosen.description());
    return chosen;
  }

  private void refuseUnused(MethodDescription chosen) {
    Map<String, Boolean> given = new LinkedHashMap<>();
    given.put("--fisher", !fisher.isEmpty());
    given.put("--weight", !weights.isEmpty());
    given.put("--floor", floor != null);
    given.put("--no-normalize", noNormalize);
    given.put("--favor-first", favorFirst);
    given.put("--any-model", anyModel);
    given.put("--t", t != null);
    given.put("--lambda", lambda != null);
    given.put("--normalize", normalize);
    given.forEach(
        (option, is) ->
            Useless.refuse(option, is && !chosen.has(option), "with --method " + chosen.name()));
  }

  private List<MergeInput> open(MergeMethod chosen, LazyDevice device, List<AutoCloseable> opened) {
    if (chosen.usesFisher() && fisher.size() != paths.size()) {
      throw new UsageException(
          fisher.size() + " statistics files for " + paths.size() + " models",
          "give --fisher once per model, in order; smelt fisher computes them");
    }
    AdaptedModel.Work work =
        new AdaptedModel.Work(device, output.options().target(), root().progress());
    List<MergeInput> inputs = new ArrayList<>();
    if (chosen.usesBase()) {
      Checkpoint checkpoint = Checkpoint.open(base.given().orElseThrow());
      opened.add(checkpoint);
      inputs.add(input(checkpoint, Optional.empty()));
    }
    for (int i = 0; i < paths.size(); i++) {
      Checkpoint checkpoint = base.open(paths.get(i), work);
      opened.add(checkpoint);
      Optional<Statistics> statistics = Optional.empty();
      if (chosen.usesFisher()) {
        Statistics file = Statistics.open(fisher.get(i));
        opened.add(file);
        statistics = Optional.of(file);
      }
      inputs.add(input(checkpoint, statistics));
    }
    return inputs;
  }

  private MergeInput input(Checkpoint checkpoint, Optional<Statistics> statistics) {
    return new MergeInput(checkpoint, ContentHash.of(checkpoint, root().threads()), statistics);
  }

  private Result merge(
      MergeMethod chosen, List<MergeInput> inputs, MergePlan plan, OutputOptions options) {
    Checkpoint first = inputs.getFirst().checkpoint();
    CheckpointWriter.Content content =
        new CheckpointWriter.Content(
            Merger.outputs(plan),
            Map.of(),
            first.config().map(config -> config.withDtype(output.dtype())),
            first.sideFiles());
    try (CheckpointWriter writer = CheckpointWriter.create(options, content)) {
      MergeMethod.Prepared prepared = chosen.prepare(plan, root().threads());
      Merger merger = new Merger(plan, allowNonFinite, root().threads());
      merger.run(prepared.arithmetic(), writer, root().progress());
      Manifest manifest =
          writer.commit(
              Manifests.of(
                  "merge",
                  parameters(prepared.parameters()),
                  inputs(inputs, chosen.usesBase()),
                  inputs.stream().map(MergeInput::checkpoint).toList(),
                  content,
                  records(plan),
                  Stream.concat(
                          plan.notes().stream(),
                          inputs.stream()
                              .flatMap(input -> BaseMixin.notes(input.checkpoint()).stream()))
                      .toList()));
      return Result.of(
          manifest, () -> ManifestText.of(manifest, options.target(), root().console().width()));
    }
  }

  private Map<String, Object> parameters(Map<String, Object> ofMethod) {
    Map<String, Object> parameters = new LinkedHashMap<>(ofMethod);
    parameters.put("heads", heads.toString());
    parameters.put("allowNonFinite", allowNonFinite);
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    return parameters;
  }

  private List<Manifest.Input> inputs(List<MergeInput> models, boolean onBase) {
    List<Manifest.Input> inputs = new ArrayList<>();
    for (MergeInput model : models) {
      boolean isBase = onBase && inputs.isEmpty();
      inputs.add(
          isBase
              ? Manifests.base(model.checkpoint(), model.sha256())
              : Manifests.model(model.checkpoint(), model.sha256()));
      if (model.checkpoint() instanceof AdaptedModel adapted) {
        inputs.addAll(Manifests.adapted(adapted, root().threads()));
      }
    }
    for (Path file : fisher) {
      inputs.add(Manifests.file("statistics", file));
    }
    return inputs;
  }

  private static List<TensorRecord> records(MergePlan plan) {
    List<TensorRecord> records = new ArrayList<>();
    for (MergePlan.Planned planned : plan.tensors()) {
      records.add(
          switch (planned) {
            case MergePlan.Merged tensor ->
                TensorRecord.of(
                    tensor.output().name(),
                    TensorRecord.MERGED,
                    tensor.theta().getFirst().info().bytes(),
                    tensor.output().bytes());
            case MergePlan.Copied tensor ->
                TensorRecord.kept(
                    tensor.output().name(),
                    tensor.reason(),
                    tensor.source().info().bytes(),
                    tensor.output().bytes());
          });
    }
    for (MergePlan.Dropped tensor : plan.dropped()) {
      records.add(
          TensorRecord.dropped(
              tensor.tensor().name(),
              "of model " + tensor.model() + ": " + tensor.reason(),
              tensor.tensor().bytes()));
    }
    return records;
  }
}
