package dev.smelt.cli.command;

import dev.smelt.compress.delta.AdaptedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.formats.peft.AdapterMatch;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.recipe.ModelReference;
import dev.smelt.merge.recipe.OpenedModels;
import dev.smelt.merge.recipe.Place;
import dev.smelt.merge.recipe.Recipe;
import dev.smelt.merge.recipe.Source;
import dev.smelt.merge.recipe.Stage;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.function.Function;

/** The models and statistics that a recipe names, opened once each. */
final class RecipeInputs implements OpenedModels {

  private final Recipe recipe;
  private final Optional<AdaptedModel.Work> work;
  private final Function<Checkpoint, String> hash;
  private final List<AutoCloseable> opened;

  private final Map<ModelReference, MergeInput> models = new HashMap<>();
  private final Map<Source, MergeInput> withStatistics = new HashMap<>();
  private final SequencedSet<Path> statistics = new LinkedHashSet<>();

  /** Results of earlier stages, by their names. */
  private final Map<String, Checkpoint> stages = new HashMap<>();

  /**
   * @param work how adapters are laid over their models; empty where nothing may be computed
   * @param hash identifies a checkpoint
   * @param opened to which is added what has to be closed
   */
  RecipeInputs(
      Recipe recipe,
      Optional<AdaptedModel.Work> work,
      Function<Checkpoint, String> hash,
      List<AutoCloseable> opened) {
    this.recipe = recipe;
    this.work = work;
    this.hash = hash;
    this.opened = opened;
  }

  /** Everything that a recipe reads. */
  static List<Path> paths(Recipe recipe) {
    List<Path> paths = new ArrayList<>();
    paths.add(recipe.file());
    for (Stage stage : recipe.stages()) {
      for (ModelReference model : stage.models()) {
        if (!isStage(recipe, model.path())) {
          paths.add(resolve(recipe, model.place(), model.path()));
        }
        model.adapter().ifPresent(folder -> paths.add(resolve(recipe, model.place(), folder)));
      }
      stage.slices().stream()
          .flatMap(slice -> slice.sources().stream())
          .forEach(
              source ->
                  source
                      .fisher()
                      .ifPresent(file -> paths.add(resolve(recipe, source.place(), file))));
    }
    return paths;
  }

  private static boolean isStage(Recipe recipe, String name) {
    return recipe.stages().stream().anyMatch(stage -> stage.name().equals(Optional.of(name)));
  }

  /** Relative to the working directory, or else to the recipe. */
  private static Path resolve(Recipe recipe, Place place, String text) {
    try {
      Path path = Path.of(text);
      Path beside = recipe.file().resolveSibling(text);
      if (Files.exists(path) || path.isAbsolute()) {
        return path;
      }
      if (Files.exists(beside)) {
        return beside;
      }
      throw new NotFoundException(
          "no such model",
          place.toString(),
          "expected a file or folder " + path + (beside.equals(path) ? "" : " or " + beside),
          "models are not fetched from a hub: download it, and give its path");
    } catch (InvalidPathException e) {
      throw new CorruptException("no path", place.toString(), "found " + text, "");
    }
  }

  /** Makes the result of a stage a model of later ones. */
  void add(String stage, Checkpoint result) {
    stages.put(stage, result);
  }

  @Override
  public MergeInput of(Source source) {
    MergeInput model = model(source.model());
    if (source.fisher().isEmpty()) {
      return model;
    }
    return withStatistics.computeIfAbsent(
        source,
        _ -> {
          Path file = resolve(recipe, source.place(), source.fisher().get());
          statistics.add(file);
          Statistics found = added(Statistics.open(file));
          return new MergeInput(model.checkpoint(), model.sha256(), Optional.of(found));
        });
  }

  /** A model as it is stored. */
  Checkpoint checkpoint(ModelReference reference) {
    return model(reference).checkpoint();
  }

  private MergeInput model(ModelReference reference) {
    MergeInput known = models.get(reference);
    if (known == null) {
      Checkpoint checkpoint = open(reference);
      known = new MergeInput(checkpoint, hash.apply(checkpoint), Optional.empty());
      models.put(reference, known);
    }
    return known;
  }

  private Checkpoint open(ModelReference reference) {
    Checkpoint made = stages.get(reference.path());
    if (reference.adapter().isEmpty()) {
      return made != null
          ? made
          : added(Checkpoint.open(resolve(recipe, reference.place(), reference.path())));
    }
    Path adapter = resolve(recipe, reference.place(), reference.adapter().get());
    requireAdapter(reference, adapter);
    Path path =
        switch (made) {
          case NamedCheckpoint result -> result.stored().path();
          case null -> resolve(recipe, reference.place(), reference.path());
          default -> made.path();
        };
    if (work.isPresent()) {
      return added(AdaptedModel.open(adapter, path, Optional.empty(), work.get()));
    }
    Checkpoint base = made != null ? made : added(Checkpoint.open(path));
    AdapterMatch.of(base, added(Adapter.open(adapter)));
    return new NamedCheckpoint(Path.of(reference.toString()), base);
  }

  private <T extends AutoCloseable> T added(T one) {
    opened.add(one);
    return one;
  }

  private static void requireAdapter(ModelReference reference, Path folder) {
    if (!Adapter.isFolder(folder)) {
      throw new CorruptException(
          "no adapter",
          reference.place().toString(),
          folder + " is not the folder of an adapter",
          "the form is model+adapter");
    }
  }

  /** The files that were opened. */
  List<Path> statistics() {
    return List.copyOf(statistics);
  }
}
