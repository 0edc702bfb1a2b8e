package dev.smelt.merge.recipe;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.RestatedConfig;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import dev.smelt.merge.plan.MergePlanner;
import dev.smelt.merge.plan.PlanPart;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Decides from which tensors a stage makes which, and how, before any of them is read. */
public final class StagePlanner {

  private final Stage stage;
  private final OpenedModels opened;
  private final MergeOptions options;
  private final MergeInput donor;
  private final List<MergeInput> models;
  private final Map<MergeMethod, Map<String, List<Double>>> values = new HashMap<>();
  private final SequencedSet<String> notes = new LinkedHashSet<>();

  /** Of tensors that are merged, as they are called in the output and in the models. */
  private final Set<String> names = new HashSet<>();

  private StagePlanner(Stage stage, OpenedModels opened, MergeOptions options) {
    this.stage = stage;
    this.opened = opened;
    this.options = options;
    this.donor = opened.of(donor(stage));
    this.models = models();
  }

  /**
   * @param options with the type of the output
   * @throws dev.smelt.formats.MismatchException when models, shapes or statistics do not belong
   *     together
   * @throws dev.smelt.formats.UnsupportedException when blocks of a family are asked for that is
   *     not known, or the output's config could not state them
   */
  public static StagePlan plan(Stage stage, OpenedModels opened, MergeOptions options) {
    return new StagePlanner(stage, opened, options).plan();
  }

  /** The base, or else the first model, as one of the sources where it is among them. */
  private static Source donor(Stage stage) {
    List<Source> sources =
        stage.slices().stream()
            .flatMap(slice -> Operation.of(stage.method(), slice).all().stream())
            .toList();
    if (stage.base().isEmpty()) {
      return stage.slices().getFirst().sources().getFirst();
    }
    ModelReference base = stage.base().get();
    return sources.stream()
        .filter(source -> source.model().equals(base))
        .findFirst()
        .orElseGet(
            () -> new Source(stage.place(), base, Optional.empty(), Map.of(), Optional.empty()));
  }

  private List<MergeInput> models() {
    SequencedSet<MergeInput> all = new LinkedHashSet<>();
    all.add(donor);
    for (OutputSlice slice : stage.slices()) {
      Operation.of(stage.method(), slice).all().forEach(source -> all.add(opened.of(source)));
    }
    return List.copyOf(all);
  }

  private StagePlan plan() {
    MergePlanner.requireMergeable(models);
    Optional<Blocks> blocks =
        stage.isStacked() || hasGradients()
            ? Optional.of(new Blocks(stage, donor.checkpoint()))
            : Optional.empty();
    List<MergePlan.Planned> tensors = new ArrayList<>();
    List<MergePlan.Dropped> dropped = new ArrayList<>();
    notes.addAll(stage.notes());
    notes.add(
        "config and side files are those of "
            + donor.checkpoint().path()
            + (stage.base().isEmpty() ? ", the first model: there is no base_model" : ""));
    SlicePlacer placer = new SlicePlacer(stage, blocks, donor.checkpoint());
    for (int i = 0; i < stage.slices().size(); i++) {
      MergePlan plan = plan(stage.slices().get(i), placer.place(i));
      tensors.addAll(plan.tensors());
      dropped.addAll(plan.dropped());
      notes.addAll(plan.notes());
    }
    dropped.addAll(dropped(placer));
    noteFilters();
    Optional<RestatedConfig> restated =
        blocks
            .filter(_ -> stage.isStacked())
            .map(known -> StackedConfig.of(known, configs(), stage));
    restated.ifPresent(config -> notes.addAll(config.notes()));
    List<Path> paths = models.stream().map(model -> model.checkpoint().path()).toList();
    MergePlan plan = new MergePlan(paths, tensors, dropped, List.copyOf(notes));
    Optional<ModelConfig> config =
        restated
            .map(RestatedConfig::config)
            .or(donor.checkpoint()::config)
            .map(known -> known.withDtype(dtype(plan)));
    return new StagePlan(plan, donor, config, models, values);
  }

  private boolean hasGradients() {
    return settings().stream().anyMatch(Setting::isGradient);
  }

  private List<Setting> settings() {
    List<Map<String, Setting>> all = new ArrayList<>(stage.parameters());
    for (OutputSlice slice : stage.slices()) {
      all.add(slice.parameters());
      slice.sources().forEach(source -> all.add(source.parameters()));
    }
    return all.stream().flatMap(settings -> settings.values().stream()).toList();
  }

  /** Recipes for one family are often used for another, whose tensors have other names. */
  private void noteFilters() {
    for (Setting setting : settings()) {
      for (Setting.Case one : setting.cases()) {
        if (names.stream().noneMatch(one::holdsFor)) {
          notes.add(
              "filter "
                  + one.filter().orElse("")
                  + " fits no tensor that is merged ["
                  + setting.place()
                  + "]");
        }
      }
    }
  }

  private List<ModelConfig> configs() {
    return models.stream().flatMap(model -> model.checkpoint().config().stream()).toList();
  }

  private MergePlan plan(OutputSlice slice, SlicePlacer.Placed placed) {
    Operation operation = Operation.of(stage.method(), slice);
    List<PlanPart> parts = new ArrayList<>();
    for (Source source : operation.all()) {
      MergeInput input = opened.of(source);
      parts.add(new PlanPart(input, models.indexOf(input) + 1, placed.tensors(source, input)));
    }
    Chooser chooser = new Chooser(stage, slice, operation);
    return MergePlanner.plan(
        parts,
        stage.method(),
        (output, theta) -> {
          List<TensorView> ofModels =
              theta.subList(operation.base().isPresent() ? 1 : 0, theta.size());
          names.add(output);
          theta.forEach(view -> names.add(view.name()));
          Chooser.Chosen chosen = placed.choose(chooser, output, ofModels);
          values.putIfAbsent(chosen.method(), chosen.values());
          return chosen.method();
        },
        options);
  }

  /** Stored copies of tied matrices, which could differ from what they are tied to. */
  private List<MergePlan.Dropped> dropped(SlicePlacer placer) {
    List<MergePlan.Dropped> dropped = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      Checkpoint model = models.get(i).checkpoint();
      for (TensorInfo info : model.infos()) {
        if (stage.isStacked() && placer.isTied(info.name())) {
          dropped.add(new MergePlan.Dropped(i + 1, info, "tied to an embedding"));
        }
      }
    }
    return dropped;
  }

  /** What the config says; else that of the output where it has one and the donor has another. */
  private Optional<DType> dtype(MergePlan plan) {
    if (options.dtype().isPresent()) {
      return options.dtype();
    }
    Set<DType> found =
        plan.merged().stream()
            .map(tensor -> tensor.output().dtype())
            .collect(Collectors.toCollection(TreeSet::new));
    boolean asDonor =
        donor.checkpoint().infos().stream().map(TensorInfo::dtype).anyMatch(found::contains);
    return asDonor || found.size() != 1 ? Optional.empty() : found.stream().findFirst();
  }
}
