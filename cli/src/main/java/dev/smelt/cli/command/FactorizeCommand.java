package dev.smelt.cli.command;

import dev.smelt.compress.factorize.ErrorLimit;
import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.FactorizeOptions;
import dev.smelt.compress.factorize.FactorizedOutput;
import dev.smelt.compress.factorize.Factorizer;
import dev.smelt.compress.factorize.Improver;
import dev.smelt.compress.factorize.LossSearch;
import dev.smelt.compress.factorize.PlannedLayer;
import dev.smelt.compress.factorize.RankPolicy;
import dev.smelt.compress.factorize.SpectraFile;
import dev.smelt.compress.factorize.TotalKeep;
import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.lowrank.Route;
import dev.smelt.compress.lowrank.RouteOptions;
import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.GateException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.engine.ComputeDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;
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
      "  smelt fisher model/ --data train.txt --stats input-gram,grad-gram -o F.safetensors",
      "  smelt factorize model/ -o small/ --stats F.safetensors --keep-total 0.5 --data val.txt",
      "  smelt factorize model/ -o small/ --stats F.safetensors --max-loss-increase 0.02"
          + " --data val.txt"
    })
public final class FactorizeCommand extends SmeltCommand {

  @Parameters(paramLabel = "CKPT", description = "The model to factorise.")
  private Path path = Path.of("");

  @Mixin private MetricMixin metric = new MetricMixin();

  @Mixin private RankMixin ranks = new RankMixin();

  @Option(
      names = "--include",
      paramLabel = "GLOB",
      description = "Factorise matrices whose name matches (attention and feed-forward matrices).")
  private List<String> include = new ArrayList<>();

  @Option(names = "--exclude", paramLabel = "GLOB", description = "Leave these matrices alone.")
  private List<String> exclude = new ArrayList<>();

  @Option(
      names = "--split-qkv",
      description =
          "Factorise queries, keys and values (gates and inner units) one by one where a model"
              + " stores them as one matrix.")
  private boolean splitFused;

  /** What {@code --route} takes. */
  enum RouteName {
    AUTO,
    GRAM,
    RANDOM,
    SVD;

    RouteOptions options() {
      return switch (this) {
        case AUTO -> RouteOptions.DEFAULT;
        case GRAM -> RouteOptions.first(Route.GRAM);
        case RANDOM -> RouteOptions.first(Route.RANDOM);
        case SVD -> RouteOptions.first(Route.SVD);
      };
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Option(
      names = "--route",
      paramLabel = "auto|gram|random|svd",
      description =
          "How singular directions are computed first; a result that may be farther than 1e-4 from"
              + " the best is computed again by a safer route (auto: by shape and rank).")
  private RouteName route = RouteName.AUTO;

  @Option(
      names = "--spectra",
      paramLabel = "FILE",
      description =
          "Keep decompositions in this file and use those that are there, so that another run with"
              + " the same metric need not compute them.")
  private @Nullable Path spectra;

  @Option(
      names = "--dry-run",
      description =
          "List the matrices and how long they will take, after timing one of each shape; write"
              + " nothing.")
  private boolean dryRun;

  @Option(
      names = "--data",
      paramLabel = "D",
      description = "Measure the loss before and after on " + DataMixin.KINDS)
  private @Nullable Path data;

  @Mixin private ImproveMixin improvements = new ImproveMixin();

  @Mixin private DataMixin how = new DataMixin();

  @Mixin private OutputMixin output = new OutputMixin();

  @Override
  protected Result execute() {
    Optional<RankPolicy> policy = ranks.policy();
    OptionalDouble maxLossIncrease = ranks.maxLossIncrease();
    metric.check();
    if (data == null) {
      if (maxLossIncrease.isPresent()) {
        throw new UsageException(
            "--max-loss-increase needs data to measure the loss on", "give --data");
      }
      if (!improvements.needsNetwork()) {
        how.refuseAsUseless("--data");
      }
    }
    improvements.check(how, metric.hasStatistics());
    if (improvements.isWanted() && policy.filter(ErrorLimit.class::isInstance).isPresent()) {
      throw new UsageException(
          "--max-error promises the error of factors that --refine and --tune would change",
          "use --keep, --keep-total or --budget with them");
    }
    OutputOptions options = output.options();
    options.requireWritable(inputs());
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      String sha256 = ContentHash.of(checkpoint, root().threads());
      try (MetricMixin.Chosen chosen = metric.open(sha256);
          ComputeDevice device = root().openDevice()) {
        FactorizeOptions what =
            new FactorizeOptions(
                chosen.metric(),
                new LayerSelection(include, exclude, splitFused),
                ranks.grid(),
                route.options(),
                output.dtype());
        try (Factorizer factorizer = Factorizer.open(checkpoint, what, device, options)) {
          Work work = new Work(checkpoint, sha256, chosen, device, factorizer);
          return dryRun ? plan(work, policy) : run(work, policy);
        }
      }
    }
  }

  /** What is open while the command runs. */
  private record Work(
      Checkpoint checkpoint,
      String sha256,
      MetricMixin.Chosen chosen,
      ComputeDevice device,
      Factorizer factorizer) {}

  private List<Path> inputs() {
    List<Path> inputs = new ArrayList<>(metric.inputs());
    inputs.addAll(improvements.inputs());
    inputs.add(path);
    if (data != null) {
      inputs.add(data);
    }
    return inputs;
  }

  private static RankPolicy farthest(Optional<RankPolicy> policy) {
    return policy.orElse(new TotalKeep(1));
  }

  private Result plan(Work work, Optional<RankPolicy> policy) {
    List<PlannedLayer> layers = work.factorizer().plan(farthest(policy), root().progress());
    WorkPlan plan = WorkPlan.of(layers, work.device().description());
    int width = root().console().width();
    return Result.of(plan, () -> plan.text(width));
  }

  private Result run(Work work, Optional<RankPolicy> policy) {
    Map<String, String> madeFrom =
        spectra == null ? Map.of() : metric.madeFrom(work.chosen().spec(), work.sha256());
    try (SpectraFile.Contents known =
        spectra == null ? SpectraFile.Contents.none() : SpectraFile.open(spectra, madeFrom)) {
      // Data that do not suit the model are refused before there are hours of work to lose.
      Optional<LossMeter> meter = meter(work);
      Optional<Dataset> training = improvements.data(how, work.checkpoint(), work.device());
      List<String> fresh = work.factorizer().decompose(farthest(policy), known, root().progress());
      if (spectra != null && !fresh.isEmpty()) {
        SpectraFile.write(spectra, work.factorizer(), madeFrom);
      }
      return write(work, policy, meter, training);
    }
  }

  private Optional<LossMeter> meter(Work work) {
    return Optional.ofNullable(data)
        .map(file -> new LossMeter(how, file, work.checkpoint(), work.device(), root().progress()));
  }

  private Result write(
      Work work,
      Optional<RankPolicy> given,
      Optional<LossMeter> meter,
      Optional<Dataset> training) {
    Factorizer factorizer = work.factorizer();
    List<String> notes = new ArrayList<>();
    Optional<GateException> gate = Optional.empty();
    RankPolicy policy;
    if (given.isPresent()) {
      policy = given.get();
    } else {
      LossSearch.Found found = search(factorizer, meter.orElseThrow());
      policy = found.policy();
      notes.addAll(describe(found, meter.get().denseLoss()));
      gate = found.policy().ratio() < 1 ? Optional.empty() : Optional.of(nothingWithin());
    }
    FactoredModel fitted = factorizer.fit(policy);
    FactoredModel improved = fitted;
    if (improvements.isWanted()) {
      meter.ifPresent(one -> one.record("factors", fitted));
      improved =
          improvements.improve(
              fitted,
              work.checkpoint(),
              training,
              how,
              new Improver(work.device(), work.chosen().metric(), root().progress()),
              work.chosen().statistics(),
              work.chosen().spec().dampingOrDefault(),
              work.device(),
              (stage, model) -> meter.ifPresent(one -> one.record(stage, model)));
    }
    FactorizedOutput done = factorizer.finish(improved, policy, root().progress());
    if (!improvements.isWanted()) {
      meter.ifPresent(one -> one.record("factors", done.model()));
    }
    notes.addAll(done.notes());
    CheckpointWriter.Content content = done.content();
    try (CheckpointWriter writer = CheckpointWriter.create(output.options(), content)) {
      done.write(writer);
      Manifest manifest =
          writer.commit(
              Manifests.of(
                      "factorize",
                      parameters(work.chosen().spec(), work.device()),
                      manifestInputs(work),
                      List.of(work.checkpoint()),
                      content,
                      done.records(),
                      notes)
                  .withMeasured(meter.map(LossMeter::measured).orElse(List.of())));
      int width = root().console().width();
      return new Result(
          manifest, () -> ManifestText.of(manifest, output.options().target(), width), gate);
    }
  }

  private LossSearch.Found search(Factorizer factorizer, LossMeter meter) {
    double limit = meter.denseLoss() + ranks.maxLossIncrease().orElseThrow();
    return new LossSearch(factorizer, meter::loss).smallestWithin(limit);
  }

  private static List<String> describe(LossSearch.Found found, double before) {
    return found.tries().stream()
        .map(
            one ->
                "tried --keep-total %s: %,d bytes, loss %+.4f%s"
                    .formatted(
                        one.share(),
                        one.bytes(),
                        one.loss() - before,
                        one.within() ? "" : ", too much"))
        .toList();
  }

  private GateException nothingWithin() {
    return new GateException(
        "no factors within the loss",
        path.toString(),
        "--max-loss-increase " + ranks.maxLossIncrease().orElseThrow() + " allows none",
        "the output is dense; allow more, or give statistics for a better --metric");
  }

  private List<Manifest.Input> manifestInputs(Work work) {
    List<Manifest.Input> inputs = new ArrayList<>();
    inputs.add(Manifests.model(work.checkpoint(), work.sha256()));
    inputs.addAll(metric.manifestInputs());
    return inputs;
  }

  private Map<String, Object> parameters(MetricSpec spec, ComputeDevice device) {
    Map<String, Object> parameters = new LinkedHashMap<>(spec.parameters());
    ranks.describe(parameters);
    parameters.put("include", include);
    parameters.put("exclude", exclude);
    parameters.put("splitFused", splitFused);
    parameters.put("route", route.toString());
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    if (data != null) {
      parameters.put("data", data.toString());
      parameters.putAll(how.given());
    }
    parameters.putAll(improvements.parameters(how));
    parameters.put("threads", root().threads());
    parameters.put("device", device.description());
    return parameters;
  }
}
