package dev.smelt.cli.command;

import dev.smelt.cli.Units;
import dev.smelt.cli.Version;
import dev.smelt.compress.delta.Delta;
import dev.smelt.compress.delta.DeltaOptions;
import dev.smelt.compress.delta.DeltaRank;
import dev.smelt.compress.metric.MetricSpec;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.peft.AdapterWriter;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Extracts what fine-tuning changed. */
@Command(
    name = "delta",
    description = "Extract what fine-tuning changed, as LoRA adapters that PEFT loads.",
    footer = {
      "%nEvery tensor that differs is kept: matrices as factors, all others in full. What equals the"
          + " base is not written.",
      "%nExamples:",
      "  smelt delta tuned/ --base base/ --rank 16 -o adapter/",
      "  smelt delta a/ b/ c/ --base base/ --max-error 0.2 -o adapters/"
    })
public final class DeltaCommand extends SmeltCommand {

  static final String NAME = "delta";

  @Parameters(
      paramLabel = "M",
      arity = "1..*",
      description = "The fine-tuned model, or several of one base.")
  private List<Path> paths = new ArrayList<>();

  @Option(
      names = "--base",
      paramLabel = "B",
      required = true,
      description = "The model that they were tuned from.")
  private Path base = Path.of("");

  @Option(
      names = {"-o", "--output"},
      paramLabel = "OUT",
      required = true,
      description = "The adapter's folder; of several models, a folder with one for each.")
  private Path target = Path.of("");

  @Option(names = "--overwrite", description = "Replace adapters that exist.")
  private boolean overwrite;

  @ArgGroup(exclusive = true, multiplicity = "1")
  private Policy policy = new Policy();

  /** How much of a change is kept: exactly one way of saying it. */
  static final class Policy {
    @Option(names = "--rank", paramLabel = "R", description = "Rank of the factors.")
    private @Nullable Integer rank;

    @Option(
        names = "--max-error",
        paramLabel = "E",
        description =
            "Smallest rank at which each change differs by at most E, relative, in the metric and as"
                + " written; in [0, 1).")
    private @Nullable Double maxError;

    @Option(
        names = "--keep",
        paramLabel = "SHARE",
        description = "Keep this share of each change's elements, in (0, 1].")
    private @Nullable Double keep;

    DeltaRank toRank() {
      if (rank != null) {
        return new DeltaRank.Fixed(rank);
      }
      return maxError != null
          ? new DeltaRank.MaxError(maxError)
          : new DeltaRank.Keep(keep == null ? 0 : keep);
    }

    void describe(Map<String, Object> parameters) {
      if (rank != null) {
        parameters.put("rank", rank);
      }
      if (maxError != null) {
        parameters.put("maxError", maxError);
      }
      if (keep != null) {
        parameters.put("keep", keep);
      }
    }
  }

  @Option(
      names = "--uniform-rank",
      description = "One rank for all factors, filled up with zeros, as some loaders want it.")
  private boolean uniform;

  @Mixin private DeltaMetricMixin metric = new DeltaMetricMixin();

  @Option(
      names = "--include",
      paramLabel = "GLOB",
      description = "Keep changes of tensors with these names only (all); * and ? as usual.")
  private List<String> include = new ArrayList<>();

  @Option(
      names = "--exclude",
      paramLabel = "GLOB",
      description = "Leave tensors with these names as in the base; the manifest lists them.")
  private List<String> exclude = new ArrayList<>();

  @Option(
      names = "--allow-larger",
      description = "Write factors even where they take more than the change in full.")
  private boolean allowLarger;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "Floating-point type of factors: f32, bf16, f16, … (as each tensor of M).")
  private @Nullable String dtype;

  @Option(
      names = "--base-name",
      paramLabel = "NAME",
      description = "The base as loaders are to find it, such as a name on a hub (B as given).")
  private @Nullable String baseName;

  @Override
  protected Result execute() {
    DeltaRank rank = policy.toRank();
    metric.check(paths.size());
    Optional<DType> type = Optional.ofNullable(dtype).map(text -> Units.floatType("--dtype", text));
    List<Path> targets = targets();
    targets.forEach(this::requireWritable);
    try (Checkpoint original = Checkpoint.open(base);
        ComputeDevice device = root().openDevice()) {
      String sha256 = ContentHash.of(original, root().threads());
      List<Manifest> manifests = new ArrayList<>();
      for (int i = 0; i < paths.size(); i++) {
        manifests.add(extract(i, original, sha256, rank, type, targets.get(i), device));
      }
      if (manifests.size() == 1) {
        Manifest only = manifests.getFirst();
        return Result.of(only, () -> DeltaText.of(only, target, root().console().width()));
      }
      DeltaSummary summary = DeltaSummary.of(base, original, paths, targets, manifests);
      return Result.of(summary, () -> summary.text(root().console().width()));
    }
  }

  /** OUT of one model, OUT/NAME of several. */
  private List<Path> targets() {
    if (paths.size() == 1) {
      return List.of(target);
    }
    Set<String> names = new HashSet<>();
    List<Path> targets = new ArrayList<>();
    for (Path path : paths) {
      String name = ModelNames.of(path);
      if (!names.add(name)) {
        throw new UsageException(
            "two models named " + name, "give them one by one, each with an output of its own");
      }
      targets.add(target.resolve(name));
    }
    return targets;
  }

  private void requireWritable(Path folder) {
    List<Path> inputs = new ArrayList<>(paths);
    inputs.add(base);
    inputs.addAll(metric.statistics().files());
    for (Path input : inputs) {
      if (Storage.local().isInside(input, folder)) {
        throw new UsageException(
            "output would replace an input [" + folder + "]", "choose another name");
      }
    }
    AdapterWriter.requireReplaceable(folder, overwrite);
    Storage.local().stage(folder, overwrite).close();
  }

  private Manifest extract(
      int i,
      Checkpoint original,
      String baseSha256,
      DeltaRank rank,
      Optional<DType> type,
      Path folder,
      ComputeDevice device) {
    List<AutoCloseable> opened = new ArrayList<>();
    try (var _ = new ClosingAll(opened);
        Checkpoint model = Checkpoint.open(paths.get(i))) {
      String sha256 = ContentHash.of(model, root().threads());
      Optional<Statistics> statistics = metric.statistics().file(i).map(Statistics::open);
      statistics.ifPresent(
          file -> {
            opened.add(file);
            metric.statistics().requireModel(file, sha256, Optional.of(baseSha256));
          });
      MetricSpec spec = metric.of(statistics);
      DeltaOptions options =
          new DeltaOptions(
              spec.metric(statistics),
              rank,
              uniform,
              new NamePatterns(include, exclude),
              type,
              allowLarger);
      try (Delta delta =
          Delta.between(model, original, options, device, folder, root().progress())) {
        AdapterWriter.Content content =
            delta.content(baseName == null ? base.toString() : baseName);
        try (AdapterWriter writer = AdapterWriter.create(folder, overwrite, content)) {
          delta.write(writer);
          List<Manifest.Input> inputs = new ArrayList<>();
          inputs.add(Manifests.model(model, sha256));
          inputs.add(new Manifest.Input("base", base.toString(), original.bytes(), baseSha256));
          metric
              .statistics()
              .file(i)
              .ifPresent(file -> inputs.add(Manifests.file("statistics", file)));
          List<String> notes = new ArrayList<>(delta.notes());
          notes.addAll(Manifests.leftOut(List.of(model)));
          return writer.commit(
              Manifest.of(
                  Version.text(),
                  NAME,
                  parameters(spec, device, type),
                  inputs,
                  new Manifest.Totals(
                      model.bytes(), content.bytes(), model.parameters(), content.parameters()),
                  delta.records(),
                  notes));
        }
      }
    }
  }

  private Map<String, Object> parameters(
      MetricSpec spec, ComputeDevice device, Optional<DType> type) {
    Map<String, Object> parameters = new LinkedHashMap<>(spec.parameters());
    policy.describe(parameters);
    parameters.put("uniformRank", uniform);
    parameters.put("include", include);
    parameters.put("exclude", exclude);
    parameters.put("allowLarger", allowLarger);
    type.ifPresent(given -> parameters.put("dtype", given.label()));
    parameters.put("threads", root().threads());
    parameters.put("device", device.description());
    return parameters;
  }
}
