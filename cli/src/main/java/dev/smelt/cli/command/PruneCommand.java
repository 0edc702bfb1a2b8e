package dev.smelt.cli.command;

import dev.smelt.compress.prune.Pruner;
import dev.smelt.compress.prune.ThinnedModel;
import dev.smelt.compress.structure.StructureOptions;
import dev.smelt.compress.structure.StructuredPruner;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.GateException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes weights zero. */
@Command(
    name = "prune",
    description = "Take the weights that matter least.",
    footer = {
      "%nZeros take as much room as other weights: the output has the size of the input, but with"
          + " --pack or where --pattern neurons, heads or blocks leaves parts out.",
      "%nExamples:",
      "  smelt prune model/ -o sparse/ --sparsity 0.5",
      "  smelt fisher model/ --data train.txt --stats diag,input-gram -o F.safetensors",
      "  smelt prune model/ -o sparse/ --sparsity 0.5 --criterion wanda --stats F.safetensors",
      "  smelt prune model/ -o sparse/ --pattern 2:4 --criterion sparsegpt --stats F.safetensors",
      "  smelt prune model/ -o small/ --pattern neurons --sparsity 0.25 --criterion fisher"
          + " --stats F.safetensors",
      "  smelt prune model/ -o sparse/ --max-loss-increase 0.02 --criterion fisher"
          + " --stats F.safetensors --data val.txt"
    })
public final class PruneCommand extends SmeltCommand {

  @Parameters(paramLabel = "CKPT", description = "The model to prune.")
  private Path path = Path.of("");

  @Mixin private PruneMixin what = new PruneMixin();

  @Mixin private ScheduleMixin schedule = new ScheduleMixin();

  @Mixin private TuneMixin tuning = new TuneMixin();

  @Mixin private StatisticsInput stats = new StatisticsInput();

  @Option(
      names = "--data",
      paramLabel = "D",
      description = "Measure the loss before and after on " + DataMixin.KINDS)
  private @Nullable Path data;

  @Option(
      names = "--pack",
      description =
          "Store tensors with many zeros as a bit for each weight and the other values. Only smelt"
              + " reads the result.")
  private boolean pack;

  @Mixin private DataMixin how = new DataMixin();

  @Mixin private OutputMixin output = new OutputMixin();

  @Override
  protected Result execute() {
    stats.check();
    what.check(stats.isGiven(), data != null, schedule.isGiven());
    schedule.check(stats.isGiven(), tuning.hasData(), what);
    tuning.check(how, schedule.isGiven(), "--tune or --schedule");
    if (data == null && !tuning.hasData()) {
      how.refuseAsUseless("--data");
    }
    OutputOptions options = output.options();
    if (pack) {
      options.requirePackable();
    }
    options.requireWritable(inputs());
    try (Checkpoint checkpoint = Checkpoint.open(path);
        LazyDevice device = new LazyDevice(root()::openDevice)) {
      String sha256 = ContentHash.of(checkpoint, root().threads());
      try (ClosingAll opened = new ClosingAll(new ArrayList<>())) {
        Optional<Statistics> statistics = stats.open(sha256);
        statistics.ifPresent(opened::add);
        return run(new Work(checkpoint, sha256, device, statistics, opened));
      }
    }
  }

  /** What is open while the command runs. */
  private record Work(
      Checkpoint checkpoint,
      String sha256,
      LazyDevice device,
      Optional<Statistics> statistics,
      ClosingAll opened) {}

  private List<Path> inputs() {
    List<Path> inputs = new ArrayList<>(stats.inputs());
    inputs.addAll(tuning.inputs());
    inputs.add(path);
    if (data != null) {
      inputs.add(data);
    }
    return inputs;
  }

  private Result run(Work work) {
    // What does not suit the model is refused before there is work to lose.
    Optional<Pruner> weights =
        structure().isPresent() ? Optional.empty() : Optional.of(pruner(work));
    Optional<LossMeter> meter =
        Optional.ofNullable(data)
            .map(
                file ->
                    new LossMeter(
                        how, file, work.checkpoint(), work.device().get(), root().progress()));
    Optional<Dataset> training =
        tuning.hasData()
            ? tuning.data(how, work.checkpoint(), work.device().get())
            : Optional.empty();
    Optional<Steps> steps = steps(work, training);
    Thinner thinner =
        weights.isPresent() ? thinner(work, weights.get(), steps) : unitThinner(work, steps);
    SparsityLimit limit =
        what.maxLossIncrease().isPresent()
            ? SparsityLimit.find(
                path, what.maxLossIncrease().getAsDouble(), thinner, meter.orElseThrow())
            : new SparsityLimit(what.sparsity(), List.of(), Optional.empty());
    List<String> notes = new ArrayList<>(limit.notes());
    ThinnedModel pruned = work.opened().add(thinner.thin(limit.sparsity()));
    notes.addAll(pruned.notes());
    meter.ifPresent(one -> one.record("pruned", pruned));
    if (tuning.isWanted()) {
      thinning(work).tune(pruned, work.checkpoint(), training.orElseThrow(), tuning.options(how));
      meter.ifPresent(one -> one.record("tuned", pruned));
    }
    return write(work, pruned, meter, notes, limit.gate());
  }

  private Optional<StructureOptions> structure() {
    return what.structure(output.dtype());
  }

  private Pruner pruner(Work work) {
    Pruner pruner =
        new Pruner(what.options(output.dtype()), output.options(), work.device(), root().threads());
    var _ = pruner.layers(work.checkpoint());
    return pruner;
  }

  private Optional<Steps> steps(Work work, Optional<Dataset> training) {
    return schedule
        .schedule()
        .map(steps -> new Steps(steps, thinning(work), training.orElseThrow(), what.statistics()));
  }

  private Thinner thinner(Work work, Pruner pruner, Optional<Steps> steps) {
    return new WeightThinner(
        work.checkpoint(),
        pruner,
        what.criterion(),
        work.device(),
        work.statistics(),
        steps,
        root().progress());
  }

  private Thinner unitThinner(Work work, Optional<Steps> steps) {
    Optional<Statistics> statistics =
        steps
            .map(found -> work.opened().add(found.statistics(work.checkpoint())))
            .or(work::statistics);
    StructuredPruner pruner =
        StructuredPruner.open(
            work.checkpoint(),
            structure().orElseThrow(),
            what.criterion().scoring(statistics, work.device()),
            output.options(),
            root().threads(),
            root().progress());
    return new UnitThinner(
        pruner, what.criterion(), work.device(), steps, root().threads(), root().progress());
  }

  private Thinning thinning(Work work) {
    return new Thinning(how, work.device().get(), output.options().target(), root().progress());
  }

  private Result write(
      Work work,
      ThinnedModel pruned,
      Optional<LossMeter> meter,
      List<String> notes,
      Optional<GateException> gate) {
    CheckpointWriter.Content content = pruned.content();
    try (CheckpointWriter writer = writer(content)) {
      List<TensorRecord> records = pruned.write(writer, root().threads(), root().progress());
      Manifest manifest =
          writer.commit(
              Manifests.of(
                      "prune",
                      parameters(work),
                      manifestInputs(work),
                      List.of(work.checkpoint()),
                      content,
                      records,
                      notes)
                  .withLeftOut(pruned.unitsLeftOut())
                  .withMeasured(meter.map(LossMeter::measured).orElse(List.of())));
      int width = root().console().width();
      return new Result(
          manifest, () -> ManifestText.of(manifest, output.options().target(), width), gate);
    }
  }

  private CheckpointWriter writer(CheckpointWriter.Content content) {
    return pack
        ? CheckpointWriter.createPacked(
            output.options(), content, root().threads(), root().progress())
        : CheckpointWriter.create(output.options(), content);
  }

  private List<Manifest.Input> manifestInputs(Work work) {
    List<Manifest.Input> inputs = new ArrayList<>();
    inputs.add(Manifests.model(work.checkpoint(), work.sha256()));
    inputs.addAll(stats.manifestInputs());
    return inputs;
  }

  private Map<String, Object> parameters(Work work) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    what.describe(parameters);
    schedule.describe(parameters);
    parameters.put("pack", pack);
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    if (data != null) {
      parameters.put("data", data.toString());
      parameters.putAll(how.given());
    }
    parameters.putAll(tuning.parameters(how));
    if (work.device().isOpen()) {
      parameters.put("threads", root().threads());
      parameters.put("device", work.device().get().description());
    }
    return parameters;
  }
}
