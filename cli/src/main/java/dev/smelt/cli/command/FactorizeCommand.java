package dev.smelt.cli.command;

import dev.smelt.compress.factorize.ErrorLimit;
import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.FactorizeOptions;
import dev.smelt.compress.factorize.FactorizedOutput;
import dev.smelt.compress.factorize.Factorizer;
import dev.smelt.compress.factorize.Improver;
import dev.smelt.compress.factorize.LayerSelection;
import dev.smelt.compress.factorize.LossSearch;
import dev.smelt.compress.factorize.MetricSpec;
import dev.smelt.compress.factorize.PlannedLayer;
import dev.smelt.compress.factorize.RankPolicy;
import dev.smelt.compress.factorize.SpectraFile;
import dev.smelt.compress.factorize.TotalKeep;
import dev.smelt.compress.lowrank.Route;
import dev.smelt.compress.lowrank.RouteOptions;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.GateException;
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
    improvements.check(how);
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
        Map<String, String> madeFrom = metric.madeFrom(chosen.spec(), sha256);
        try (Factorizer factorizer = Factorizer.open(checkpoint, what, device, options);
            SpectraFile.Contents known = known(madeFrom)) {
          RankPolicy farthest = policy.orElse(new TotalKeep(1));
          if (dryRun) {
            return plan(factorizer.plan(farthest, root().progress()), device);
          }
          decompose(factorizer, farthest, known, madeFrom);
          return write(factorizer, policy, checkpoint, sha256, chosen, device);
        }
      }
    }
  }

  private List<Path> inputs() {
    List<Path> inputs = new ArrayList<>(metric.inputs());
    inputs.addAll(improvements.inputs());
    inputs.add(path);
    if (data != null) {
      inputs.add(data);
    }
    return inputs;
  }

  private Result plan(List<PlannedLayer> layers, ComputeDevice device) {
    WorkPlan plan = WorkPlan.of(layers, device.description());
    int width = root().console().width();
    return Result.of(plan, () -> plan.text(width));
  }

  private SpectraFile.Contents known(Map<String, String> madeFrom) {
    return spectra == null ? SpectraFile.Contents.none() : SpectraFile.open(spectra, madeFrom);
  }

  private void decompose(
      Factorizer factorizer,
      RankPolicy policy,
      SpectraFile.Contents known,
      Map<String, String> madeFrom) {
    List<String> fresh = factorizer.decompose(policy, known, root().progress());
    if (spectra != null && !fresh.isEmpty()) {
      SpectraFile.write(spectra, factorizer, madeFrom);
    }
  }

  private Result write(
      Factorizer factorizer,
      Optional<RankPolicy> given,
      Checkpoint checkpoint,
      String sha256,
      MetricMixin.Chosen chosen,
      ComputeDevice device) {
    Optional<LossMeter> meter =
        Optional.ofNullable(data)
            .map(file -> new LossMeter(how, file, checkpoint, device, root().progress()));
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
              checkpoint,
              how,
              new Improver(device, chosen.metric(), root().progress()),
              chosen.statistics(),
              chosen.spec().dampingOrDefault(),
              device,
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
                      parameters(chosen.spec(), device),
                      manifestInputs(checkpoint, sha256),
                      List.of(checkpoint),
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

  private List<Manifest.Input> manifestInputs(Checkpoint checkpoint, String sha256) {
    List<Manifest.Input> inputs = new ArrayList<>();
    inputs.add(Manifests.model(checkpoint, sha256));
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
