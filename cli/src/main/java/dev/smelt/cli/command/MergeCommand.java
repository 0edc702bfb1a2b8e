package dev.smelt.cli.command;

import dev.smelt.compress.delta.AdaptedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.MergeMethods;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Nearest;
import dev.smelt.merge.method.Values;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import dev.smelt.merge.plan.MergePlanner;
import dev.smelt.merge.recipe.Recipe;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Combines models of one architecture into one. */
@Command(name = "merge", description = "Combine several models of one architecture into one.")
public final class MergeCommand extends SmeltCommand {

  private static final String WEIGHT = "weight";

  private static final List<String> EXAMPLES =
      List.of(
          "%nExamples:",
          "  smelt merge a/ b/ -o ab/ --method linear --weight 0.7 --weight 0.3",
          "  smelt merge a/ b/ -o ab/ --method fisher --fisher a.safetensors --fisher b.safetensors",
          "  smelt merge recipe.yaml -o ab/");

  @Parameters(
      paramLabel = "CKPT",
      arity = "1..*",
      description =
          "A recipe (.yaml); or the models, or adapters with --base: names, config and tokenizer are those of the base, if"
              + " the method uses one, or else the first one's.")
  private List<Path> paths = new ArrayList<>();

  @Option(
      names = "--method",
      paramLabel = "NAME",
      description = "How to combine them, unless a recipe says so; see below.")
  private String method = "";

  @Option(
      names = "--fisher",
      paramLabel = "FILE",
      description = "Statistics of each model, in order, from smelt fisher.")
  private List<Path> fisher = new ArrayList<>();

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

  @Option(
      names = "--explain",
      description = "Print what a recipe would do with each tensor; nothing is written.")
  private boolean explain;

  private CommandSpec spec = CommandSpec.create();

  private Optional<WeightSearch> found = Optional.empty();

  @Mixin private BaseMixin base = new BaseMixin();

  @Mixin private TokenizerMixin tokenizer = new TokenizerMixin();

  @Mixin private SearchMixin search = new SearchMixin();

  @Mixin private OutputMixin output = new OutputMixin();

  /** What the methods say of themselves is shown below the options. */
  @Spec
  void describeMethods(CommandSpec spec) {
    RecipeOptions.relax(spec);
    MethodOptions.addTo(spec);
    List<String> lines = new ArrayList<>();
    lines.add("%nMethods:");
    for (MethodDescription description : MergeMethods.all()) {
      lines.add(String.format("  %-15s %s", description.name(), description.equation()));
      lines.add(" ".repeat(18) + description.reference());
    }
    lines.addAll(EXAMPLES);
    spec.usageMessage().footer(lines.toArray(String[]::new));
    this.spec = spec;
  }

  @Override
  protected Result execute() {
    if (paths.stream().anyMatch(Recipe::isNamed)) {
      return byRecipe();
    }
    Useless.refuse("--explain", explain, "without a recipe");
    MethodDescription description = method();
    Map<String, Values.Given> given =
        MethodOptions.given(spec.commandLine().getParseResult(), description);
    MergeMethod chosen = create(description, given);
    search.requireSense(paths.size());
    requireSearchable(description, given);
    OutputOptions options = requiredOptions();
    tokenizer.requirePlace(options);
    options.requireWritable(
        base.with(tokenizer.with(Stream.concat(paths.stream(), fisher.stream()).toList())));
    List<AutoCloseable> opened = new ArrayList<>();
    try (LazyDevice device = new LazyDevice(root()::openDevice);
        var _ = new ClosingAll(opened)) {
      List<MergeInput> inputs = open(chosen.description().inputs(), device, opened);
      MergeOptions how = new MergeOptions(output.dtype(), heads, anyModel, allowNonFinite);
      List<MergeInput> laid =
          tokenizer.laid(inputs, inputs.size() > paths.size(), options.target(), opened);
      MergeWriter writer = new MergeWriter(root(), device, allowNonFinite);
      Job job = new Job(inputs, laid, how, writer, read(writer, inputs));
      MergeMethod best = search.isOn() ? searched(description, given, device, job) : chosen;
      return written(write(job, best, options), options);
    }
  }

  /**
   * What is to be merged, by one method or by several, one after another.
   *
   * @param inputs as they are stored
   * @param laid as they are merged
   * @param read everything that is read, for manifests
   */
  private record Job(
      List<MergeInput> inputs,
      List<MergeInput> laid,
      MergeOptions how,
      MergeWriter writer,
      List<Manifest.Input> read) {}

  private List<Manifest.Input> read(MergeWriter writer, List<MergeInput> inputs) {
    Optional<MergeInput> changed =
        inputs.size() > paths.size() ? Optional.of(inputs.getFirst()) : Optional.empty();
    List<Manifest.Input> read = writer.inputs(inputs, changed, fisher);
    search.data().forEach(file -> read.add(Manifests.file("data", file)));
    return read;
  }

  private void requireSearchable(MethodDescription description, Map<String, Values.Given> given) {
    boolean weighted = description.parameter(WEIGHT).isPresent();
    Useless.refuse("--search", search.isOn() && !weighted, "with --method " + method);
    Useless.refuse("--weight", search.isOn() && given.containsKey(WEIGHT), "with --search");
  }

  /** The method with the weights that are best on held-out data. */
  private MergeMethod searched(
      MethodDescription description, Map<String, Values.Given> given, LazyDevice device, Job job) {
    WeightSearch trials = new WeightSearch(search, root(), device);
    List<Double> best =
        trials.best(
            paths.size(),
            output.options().target(),
            (weights, target) -> write(job, create(description, with(given, weights)), target));
    found = Optional.of(trials);
    return create(description, with(given, best));
  }

  private static Map<String, Values.Given> with(
      Map<String, Values.Given> given, List<Double> weights) {
    Map<String, Values.Given> all = new LinkedHashMap<>(given);
    all.put(WEIGHT, new Values.Given("--search", weights));
    return all;
  }

  private Result byRecipe() {
    if (paths.size() != 1) {
      throw new UsageException(
          "a recipe names its models itself, found " + paths.size() + " arguments",
          "give the recipe alone");
    }
    RecipeOptions.refuseOthers(spec.commandLine().getParseResult());
    RecipeMerge.How how = new RecipeMerge.How(output.dtype(), heads, anyModel, allowNonFinite);
    RecipeMerge merge = new RecipeMerge(root(), Recipe.read(paths.getFirst()), how);
    if (explain) {
      Explanation explanation = merge.explain();
      return Result.of(explanation, explanation::text);
    }
    return written(merge.write(requiredOptions()), requiredOptions());
  }

  private OutputOptions requiredOptions() {
    RecipeOptions.requireTarget(spec.commandLine().getParseResult());
    return output.options();
  }

  private MethodDescription method() {
    if (method.isEmpty()) {
      throw new UsageException("no method of merging", "give --method, or a recipe");
    }
    MethodDescription description =
        MergeMethods.named(method)
            .orElseThrow(
                () ->
                    new UsageException(
                        "--method " + method + ": there is no such method of merging",
                        Nearest.advice(
                            method,
                            MergeMethods.all().stream().map(MethodDescription::name).toList())));
    boolean onStatistics = description.inputs().data() != MethodDescription.Data.NONE;
    Useless.refuse("--fisher", !fisher.isEmpty() && !onStatistics, "with --method " + method);
    Useless.refuse("--any-model", anyModel && !onStatistics, "with --method " + method);
    if (!changesOf(description.inputs())) {
      base.requireUse(paths);
    }
    return description;
  }

  private MergeMethod create(MethodDescription description, Map<String, Values.Given> given) {
    return description
        .factory()
        .create(new Values(description, paths.size(), changesOf(description.inputs()), given));
  }

  /** Whether the base is one of the things that are merged; otherwise adapters may need it. */
  private boolean changesOf(MethodDescription.Inputs inputs) {
    return switch (inputs.base()) {
      case NONE -> false;
      case OPTIONAL, REQUIRED -> base.given().isPresent();
    };
  }

  private List<MergeInput> open(
      MethodDescription.Inputs inputs, LazyDevice device, List<AutoCloseable> opened) {
    boolean onStatistics = inputs.data() != MethodDescription.Data.NONE;
    if (onStatistics && fisher.size() != paths.size()) {
      throw new UsageException(
          fisher.size() + " statistics files for " + paths.size() + " models",
          "give --fisher once per model, in order; smelt fisher computes them");
    }
    AdaptedModel.Work work =
        new AdaptedModel.Work(device, output.options().target(), root().progress());
    List<MergeInput> models = new ArrayList<>();
    if (changesOf(inputs)) {
      Checkpoint checkpoint = Checkpoint.open(base.given().orElseThrow());
      opened.add(checkpoint);
      models.add(input(checkpoint, Optional.empty()));
    }
    for (int i = 0; i < paths.size(); i++) {
      Checkpoint checkpoint = base.open(paths.get(i), work);
      opened.add(checkpoint);
      Optional<Statistics> statistics = Optional.empty();
      if (onStatistics) {
        Statistics file = Statistics.open(fisher.get(i));
        opened.add(file);
        statistics = Optional.of(file);
      }
      models.add(input(checkpoint, statistics));
    }
    return models;
  }

  private MergeInput input(Checkpoint checkpoint, Optional<Statistics> statistics) {
    return new MergeInput(checkpoint, ContentHash.of(checkpoint, root().threads()), statistics);
  }

  private Manifest write(Job job, MergeMethod chosen, OutputOptions options) {
    MergePlan plan = MergePlanner.plan(job.laid(), chosen, job.how());
    Checkpoint first = job.laid().getFirst().checkpoint();
    return job.writer()
        .write(
            plan,
            new MergeWriter.Around(
                first,
                first.config().map(config -> config.withDtype(output.dtype())),
                job.inputs(),
                job.read(),
                this::parameters),
            options);
  }

  private Result written(Manifest manifest, OutputOptions options) {
    return Result.of(
        manifest, () -> ManifestText.of(manifest, options.target(), root().console().width()));
  }

  private Map<String, Object> parameters(Collection<MergeMethod.Prepared> methods) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    methods.forEach(one -> parameters.putAll(one.parameters()));
    parameters.put("heads", heads.toString());
    parameters.put("allowNonFinite", allowNonFinite);
    output.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    tokenizer.addTo(parameters);
    found.ifPresent(trials -> parameters.put("search", trials.record()));
    return parameters;
  }
}
