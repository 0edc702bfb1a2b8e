package dev.smelt.cli.command;

import dev.smelt.cli.Smelt;
import dev.smelt.compress.delta.AdaptedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.storage.Staging;
import dev.smelt.formats.storage.Storage;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.recipe.LaidModels;
import dev.smelt.merge.recipe.PlannedCheckpoint;
import dev.smelt.merge.recipe.Recipe;
import dev.smelt.merge.recipe.Stage;
import dev.smelt.merge.recipe.StagePlan;
import dev.smelt.merge.recipe.StagePlanner;
import dev.smelt.merge.vocabulary.VocabularyModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.function.BiFunction;

/** Merging as a recipe says: what is planned for all its stages, and carrying it out. */
final class RecipeMerge {

  private final Smelt root;
  private final Recipe recipe;
  private final How how;

  /**
   * What the command line adds to the recipe.
   *
   * @param dtype of the last stage's output
   */
  record How(Optional<DType> dtype, HeadPolicy heads, boolean anyModel, boolean allowNonFinite) {

    /** Types are as the stage says; what it leaves open the command line may say of the last. */
    MergeOptions options(Stage stage, boolean last, boolean anyStatistics) {
      return new MergeOptions(
          stage.dtype().or(() -> last ? dtype : Optional.empty()),
          heads,
          anyModel || anyStatistics,
          allowNonFinite);
    }
  }

  RecipeMerge(Smelt root, Recipe recipe, How how) {
    this.root = root;
    this.recipe = recipe;
    this.how = how;
    Useless.refuse(
        "--dtype",
        how.dtype().isPresent() && recipe.stages().getLast().dtype().isPresent(),
        "where the recipe names a type");
  }

  /** Plans all stages; nothing is read but headers. */
  Explanation explain() {
    return new Explanation(recipe.file().toString(), plans(Explanation::of));
  }

  /**
   * Plans all stages by what is known before any data is read.
   *
   * @param use what to make of a plan while its models are open
   */
  private <T> List<T> plans(BiFunction<Stage, StagePlan, T> use) {
    List<AutoCloseable> opened = new ArrayList<>();
    try (var _ = new ClosingAll(opened)) {
      RecipeInputs inputs = new RecipeInputs(recipe, Optional.empty(), _ -> "", opened);
      List<T> made = new ArrayList<>();
      for (Stage stage : recipe.stages()) {
        StagePlan plan = plan(stage, inputs, recipe.file(), opened, true);
        made.add(use.apply(stage, plan));
        stage.name().ifPresent(name -> inputs.add(name, new PlannedCheckpoint(name, plan)));
      }
      return made;
    }
  }

  /**
   * @param scratchNear on whose disk matrices of another vocabulary are put together
   * @param anyStatistics where models are not identified
   */
  private StagePlan plan(
      Stage stage,
      RecipeInputs inputs,
      Path scratchNear,
      List<AutoCloseable> opened,
      boolean anyStatistics) {
    boolean last = stage.equals(recipe.stages().getLast());
    return StagePlanner.plan(
        stage,
        LaidModels.of(stage, inputs, inputs::checkpoint, scratchNear, opened),
        how.options(stage, last, anyStatistics));
  }

  /** Carries out all stages. Results of all but the last are gone when it is done. */
  Manifest write(OutputOptions options) {
    options.requireWritable(RecipeInputs.paths(recipe));
    // The last stage must not fail for what could be known before the first.
    var _ = plans((_, plan) -> plan.outputs());
    List<AutoCloseable> opened = new ArrayList<>();
    Path target = options.target();
    try (LazyDevice device = new LazyDevice(root::openDevice);
        Staging stages = Storage.local().stage(beside(target), false);
        var _ = new ClosingAll(opened)) {
      AdaptedModel.Work work = new AdaptedModel.Work(device, target, root.progress());
      RecipeInputs inputs = new RecipeInputs(recipe, Optional.of(work), this::hash, opened);
      MergeWriter writer = new MergeWriter(root, device, how.allowNonFinite());
      SequencedSet<MergeInput> models = new LinkedHashSet<>();
      for (Stage stage : recipe.stages().subList(0, recipe.stages().size() - 1)) {
        String name = stage.name().orElseThrow();
        Path result = stages.file(name);
        write(stage, inputs, models, writer, OutputOptions.to(result), opened);
        Checkpoint made = new NamedCheckpoint(Path.of(name), Checkpoint.open(result));
        opened.add(made);
        inputs.add(name, made);
      }
      return write(recipe.stages().getLast(), inputs, models, writer, options, opened);
    }
  }

  private static Path beside(Path target) {
    return target.resolveSibling(target.getFileName() + ".stages");
  }

  private String hash(Checkpoint checkpoint) {
    return ContentHash.of(checkpoint, root.threads());
  }

  /**
   * @param models to which are added those that are no results of stages
   */
  private Manifest write(
      Stage stage,
      RecipeInputs inputs,
      SequencedSet<MergeInput> models,
      MergeWriter writer,
      OutputOptions options,
      List<AutoCloseable> opened) {
    StagePlan plan = plan(stage, inputs, options.target(), opened, false);
    List<MergeInput> stored = plan.models().stream().map(RecipeMerge::stored).toList();
    stored.stream()
        .filter(model -> !(model.checkpoint() instanceof NamedCheckpoint))
        .forEach(models::add);
    Optional<MergeInput> base = stage.base().map(_ -> stored(plan.donor()));
    return writer.write(
        plan.plan(),
        new MergeWriter.Around(
            plan.donor().checkpoint(),
            plan.config(),
            stored,
            writer.inputs(List.copyOf(models), base, inputs.statistics()),
            _ -> parameters(stage)),
        options);
  }

  private static MergeInput stored(MergeInput model) {
    return model.checkpoint() instanceof VocabularyModel laid
        ? new MergeInput(laid.stored(), model.sha256(), model.statistics())
        : model;
  }

  private Map<String, Object> parameters(Stage stage) {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("method", stage.method().name());
    List<Object> documents = recipe.stages().stream().map(Stage::echo).toList();
    parameters.put("recipe", documents.size() == 1 ? documents.getFirst() : documents);
    parameters.put("heads", how.heads().toString());
    parameters.put("allowNonFinite", how.allowNonFinite());
    how.dtype().ifPresent(dtype -> parameters.put("dtype", dtype.label()));
    return parameters;
  }
}
