package dev.smelt.merge;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.TensorRole;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.MergePlan.Copied;
import dev.smelt.merge.MergePlan.Dropped;
import dev.smelt.merge.MergePlan.Merged;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/** Matches the tensors of the models by name and decides what becomes of each. */
public final class MergePlanner {

  private final List<MergeInput> inputs;
  private final MergeOptions options;
  private final boolean usesFisher;
  private final Architecture architecture;
  private final List<Map<String, TensorView>> byName = new ArrayList<>();
  private final List<Merged> merged = new ArrayList<>();
  private final List<Copied> copied = new ArrayList<>();
  private final List<Dropped> dropped = new ArrayList<>();
  private final TreeSet<String> notes = new TreeSet<>();

  private MergePlanner(List<MergeInput> inputs, boolean usesFisher, MergeOptions options) {
    this.inputs = inputs;
    this.usesFisher = usesFisher;
    this.options = options;
    this.architecture = Architecture.of(inputs.getFirst().checkpoint().config());
    for (MergeInput input : inputs) {
      Map<String, TensorView> tensors = new HashMap<>();
      for (TensorView view : input.checkpoint().tensors()) {
        tensors.put(architecture.bareName(view.name()), view);
      }
      byName.add(tensors);
    }
  }

  /**
   * @throws UsageException when there is nothing to merge or statistics are missing
   * @throws MismatchException when models, shapes or statistics do not belong together
   */
  public static MergePlan plan(List<MergeInput> inputs, MergeMethod method, MergeOptions options) {
    if (inputs.size() < 2) {
      throw new UsageException(
          "merging needs at least two models, found " + inputs.size(),
          "name them one after another");
    }
    return new MergePlanner(inputs, method.usesFisher(), options).plan();
  }

  private MergePlan plan() {
    requireOneArchitecture();
    requireDense();
    if (usesFisher && !options.anyModel()) {
      requireOwnFisher();
    }
    Checkpoint first = inputs.getFirst().checkpoint();
    for (TensorView tensor : first.tensors()) {
      decide(architecture.bareName(tensor.name()), tensor);
    }
    for (int model = 1; model < inputs.size(); model++) {
      for (TensorView tensor : inputs.get(model).checkpoint().tensors()) {
        if (!byName.getFirst().containsKey(architecture.bareName(tensor.name()))) {
          dropExtra(model, tensor);
        }
      }
    }
    notes.add("config and side files are those of " + first.path());
    return new MergePlan(inputs.size(), merged, copied, dropped, List.copyOf(notes));
  }

  private void decide(String name, TensorView first) {
    List<TensorView> theta = new ArrayList<>();
    for (int model = 0; model < inputs.size(); model++) {
      TensorView view = byName.get(model).get(name);
      if (view == null || !view.shape().equals(first.shape())) {
        keepHead(name, first, model, view == null ? "missing" : view.shape().toString());
        return;
      }
      theta.add(view);
    }
    boolean allFloat = theta.stream().allMatch(view -> view.dtype().isFloat());
    if (!allFloat || architecture.role(first.info()) == TensorRole.BUFFER) {
      String reason = allFloat ? "a buffer, equal in all models" : "not floating-point";
      copied.add(new Copied(first, theta.subList(1, theta.size()), reason));
      return;
    }
    DType dtype = options.dtype().orElse(first.dtype());
    noteNarrowing(dtype, theta);
    List<TensorView> fisher = usesFisher ? fisherOf(name, theta) : List.of();
    merged.add(new Merged(first.info().as(dtype), theta, fisher));
  }

  private void noteNarrowing(DType dtype, List<TensorView> theta) {
    for (int model = 0; model < theta.size(); model++) {
      DType from = theta.get(model).dtype();
      if (from.bits() > dtype.bits()) {
        notes.add(
            String.format(
                "%s of %s is rounded to %s",
                from.label(), inputs.get(model).checkpoint().path(), dtype.label()));
      }
    }
  }

  private void keepHead(String name, TensorView first, int model, String found) {
    boolean head = architecture.role(first.info()) == TensorRole.HEAD;
    if (!head || options.heads() == HeadPolicy.ERROR) {
      throw new MismatchException(
          "models do not share a tensor",
          inputs.get(model).checkpoint().path() + "|" + name,
          "expected "
              + first.shape()
              + " as in "
              + inputs.getFirst().checkpoint().path()
              + ", found "
              + found,
          head ? "pass --heads first to keep the first model's" : "merge models of one shape");
    }
    copied.add(new Copied(first, List.of(), "a head the models do not share; the first model's"));
  }

  private void dropExtra(int model, TensorView tensor) {
    TensorRole role = architecture.role(tensor.info());
    boolean droppable = role == TensorRole.HEAD || role == TensorRole.BUFFER;
    if (!droppable || options.heads() == HeadPolicy.ERROR) {
      throw new MismatchException(
          "models do not share a tensor",
          inputs.getFirst().checkpoint().path() + "|" + tensor.name(),
          "missing, but in " + inputs.get(model).checkpoint().path(),
          droppable ? "pass --heads first to leave it out" : "merge models of one architecture");
    }
    dropped.add(new Dropped(model + 1, tensor.info(), "the first model has no such tensor"));
  }

  private List<TensorView> fisherOf(String name, List<TensorView> theta) {
    List<TensorView> fisher = new ArrayList<>();
    for (int model = 0; model < theta.size(); model++) {
      TensorView parameter = theta.get(model);
      Statistics source = fisher(model);
      TensorView diagonal =
          source
              .diagonal(parameter.name())
              .or(() -> tiedDiagonal(name, source))
              .orElseThrow(
                  () ->
                      new NotFoundException(
                          "no Fisher information for a tensor",
                          source.path() + "|" + parameter.name(),
                          "",
                          "compute the statistics of this model again"));
      if (!diagonal.shape().equals(parameter.shape())) {
        throw new MismatchException(
            "Fisher information of another shape",
            source.path() + "|" + parameter.name(),
            "expected " + parameter.shape() + ", found " + diagonal.shape(),
            "compute the statistics of this model again");
      }
      fisher.add(diagonal);
    }
    return fisher;
  }

  /** Statistics hold a tied parameter once, under the name of the embedding. */
  private Optional<TensorView> tiedDiagonal(String name, Statistics statistics) {
    String embedding = architecture.tied().get(name);
    if (embedding == null) {
      return Optional.empty();
    }
    return statistics
        .diagonal(embedding)
        .or(() -> statistics.diagonal(architecture.prefix() + embedding));
  }

  private Statistics fisher(int model) {
    return inputs
        .get(model)
        .fisher()
        .orElseThrow(
            () ->
                new UsageException(
                    "no Fisher information for " + inputs.get(model).checkpoint().path(),
                    "give --fisher once per model, in order; smelt fisher computes it"));
  }

  private void requireOwnFisher() {
    for (int model = 0; model < inputs.size(); model++) {
      fisher(model).requireModel(inputs.get(model).sha256());
    }
  }

  private void requireDense() {
    for (MergeInput input : inputs) {
      if (!LowRank.of(input.checkpoint()).modules().isEmpty()) {
        throw new MismatchException(
            "cannot merge factors",
            input.checkpoint().path().toString(),
            "the checkpoint is factorised, and a mean of factors is not a factor of the mean",
            "run smelt expand on it first");
      }
    }
  }

  private void requireOneArchitecture() {
    Optional<String> expected = modelType(inputs.getFirst());
    for (MergeInput input : inputs) {
      Optional<String> found = modelType(input);
      if (expected.isPresent() && found.isPresent() && !expected.equals(found)) {
        throw new MismatchException(
            "models of different architectures",
            input.checkpoint().path().toString(),
            "expected model_type " + expected.get() + ", found " + found.get(),
            "merge models of one architecture");
      }
    }
  }

  private static Optional<String> modelType(MergeInput input) {
    return input.checkpoint().config().flatMap(config -> config.text("model_type"));
  }
}
