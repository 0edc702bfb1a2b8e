package dev.smelt.cli.command;

import dev.smelt.compress.prune.PrunedModel;
import dev.smelt.compress.prune.Pruner;
import dev.smelt.compress.prune.ThinnedModel;
import dev.smelt.compress.search.ShareSearch;
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
import java.util.function.DoubleFunction;
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
    // Data that do not suit the model are refused before there is work to lose.
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
    Thinner thinner = thinner(work, training);
    List<String> notes = new ArrayList<>();
    double sparsity = what.sparsity();
    Optional<GateException> gate = Optional.empty();
    if (what.maxLossIncrease().isPresent()) {
      ShareSearch.Found found =
          search(what.maxLossIncrease().getAsDouble(), thinner, meter.orElseThrow());
      sparsity = sparsity(found.share());
      notes.addAll(describe(found, meter.get().denseLoss()));
      gate = found.share() < 1 ? Optional.empty() : Optional.of(nothingWithin());
    }
    ThinnedModel pruned = work.opened().add(thinner.thin(sparsity));
    notes.addAll(pruned.notes());
    meter.ifPresent(one -> one.record("pruned", pruned));
    if (tuning.isWanted()) {
      thinning(work).tune(pruned, work.checkpoint(), training.orElseThrow(), tuning.options(how));
      meter.ifPresent(one -> one.record("tuned", pruned));
    }
    return write(work, pruned, meter, notes, gate);
  }

  /**
   * Makes thinner models, one after another.
   *
   * @param largest share that may go
   */
  private record Thinner(DoubleFunction<? extends ThinnedModel> way, double largest) {
    ThinnedModel thin(double sparsity) {
      return way.apply(sparsity);
    }
  }

  private Thinner thinner(Work work, Optional<Dataset> training) {
    if (what.leavesOutUnits()) {
      StructuredPruner pruner =
          StructuredPruner.open(
              work.checkpoint(),
              what.structure(output.dtype()),
              what.scoring(work.statistics(), work.device()),
              output.options(),
              root().threads(),
              root().progress());
      return new Thinner(pruner::shrink, pruner.largestSparsity());
    }
    Pruner pruner =
        new Pruner(what.options(output.dtype()), output.options(), work.device(), root().threads());
    var _ = pruner.layers(work.checkpoint());
    return new Thinner(
        sparsity ->
            schedule.isGiven()
                ? gradually(work, pruner, sparsity, training.orElseThrow())
                : atOnce(work, pruner, sparsity),
        1);
  }

  private Thinning thinning(Work work) {
    return new Thinning(how, work.device().get(), output.options().target(), root().progress());
  }

  private PrunedModel atOnce(Work work, Pruner pruner, double sparsity) {
    return pruner.prune(
        work.checkpoint(),
        Optional.empty(),
        what.method(work.statistics(), work.device()),
        sparsity,
        work.statistics(),
        root().progress());
  }

  private PrunedModel gradually(Work work, Pruner pruner, double sparsity, Dataset training) {
    Optional<PrunedModel> last = Optional.empty();
    for (double share : schedule.schedule().orElseThrow().shares(sparsity)) {
      Checkpoint now = last.isPresent() ? last.get() : work.checkpoint();
      try (Statistics fresh = thinning(work).statistics(now, training, what.statistics())) {
        Optional<Statistics> statistics = Optional.of(fresh);
        PrunedModel next =
            pruner.prune(
                work.checkpoint(),
                last,
                what.method(statistics, work.device()),
                share,
                statistics,
                root().progress());
        last.ifPresent(PrunedModel::close);
        last = Optional.of(next);
      } catch (RuntimeException e) {
        last.ifPresent(PrunedModel::close);
        throw e;
      }
    }
    return last.orElseThrow();
  }

  private static ShareSearch.Found search(double increase, Thinner thinner, LossMeter meter) {
    return new ShareSearch(
            kept -> {
              try (ThinnedModel tried = thinner.thin(sparsity(kept))) {
                return new ShareSearch.Outcome(tried.bytes(), meter.loss(tried));
              }
            })
        .smallestWithin(1 - thinner.largest(), meter.denseLoss() + increase);
  }

  /** What goes where a share is kept; both are thousandths. */
  private static double sparsity(double kept) {
    return Math.round((1 - kept) * 1000) / 1000.0;
  }

  private static List<String> describe(ShareSearch.Found found, double before) {
    return found.tries().stream()
        .map(
            one ->
                "tried --sparsity %s: loss %+.4f%s"
                    .formatted(
                        sparsity(one.share()),
                        one.loss() - before,
                        one.within() ? "" : ", too much"))
        .toList();
  }

  private GateException nothingWithin() {
    return new GateException(
        "nothing can be pruned within the loss",
        path.toString(),
        "--max-loss-increase " + what.maxLossIncrease().orElseThrow() + " allows nothing",
        "the output is dense; allow more, or try another --criterion");
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
