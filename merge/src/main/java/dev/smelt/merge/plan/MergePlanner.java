package dev.smelt.merge.plan;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.TensorRole;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import dev.smelt.merge.plan.MergePlan.Cause;
import dev.smelt.merge.plan.MergePlan.Copied;
import dev.smelt.merge.plan.MergePlan.Dropped;
import dev.smelt.merge.plan.MergePlan.Merged;
import dev.smelt.merge.plan.MergePlan.Planned;
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
  private final MergeMethod method;
  private final Architecture architecture;
  private final List<Map<String, TensorView>> byName = new ArrayList<>();
  private final List<Planned> tensors = new ArrayList<>();
  private final List<Dropped> dropped = new ArrayList<>();
  private final TreeSet<String> notes = new TreeSet<>();

  private MergePlanner(List<MergeInput> inputs, MergeMethod method, MergeOptions options) {
    this.inputs = inputs;
    this.method = method;
    this.options = options;
    this.architecture = Architecture.of(inputs.getFirst().checkpoint().config());
    for (MergeInput input : inputs) {
      byName.add(byBareName(input.checkpoint()));
    }
  }

  private Map<String, TensorView> byBareName(Checkpoint checkpoint) {
    Map<String, TensorView> views = new HashMap<>();
    for (TensorView view : checkpoint.tensors()) {
      TensorView other = views.put(architecture.bareName(view.name()), view);
      if (other != null) {
        throw new MismatchException(
            "two tensors of one meaning",
            checkpoint.path().toString(),
            "found " + other.name() + " and " + view.name(),
            "remove one of them");
      }
    }
    return views;
  }

  /**
   * @param inputs the base first, if the method has one
   * @throws dev.smelt.formats.UsageException when statistics are missing
   * @throws MismatchException when models, shapes or statistics do not belong together
   */
  public static MergePlan plan(List<MergeInput> inputs, MergeMethod method, MergeOptions options) {
    return new MergePlanner(inputs, method, options).plan();
  }

  private MergePlan plan() {
    Compatibility.require(inputs, architecture);
    boolean onStatistics = method.description().inputs().data() != MethodDescription.Data.NONE;
    if (onStatistics && !options.anyModel()) {
      ModelStatistics.requireOwn(inputs);
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
    return new MergePlan(
        inputs.stream().map(input -> input.checkpoint().path()).toList(),
        tensors,
        dropped,
        List.copyOf(notes));
  }

  private void decide(String name, TensorView first) {
    if (architecture.role(first.info()) == TensorRole.BUFFER) {
      copyEqual(name, first, Cause.BUFFER);
      return;
    }
    List<TensorView> theta = new ArrayList<>();
    for (int model = 0; model < inputs.size(); model++) {
      Optional<TensorView> view = find(model, name);
      if (view.isEmpty() || !view.get().shape().equals(first.shape())) {
        keepHead(name, first, model, view.map(v -> v.shape().toString()).orElse("missing"));
        return;
      }
      theta.add(view.get());
    }
    if (!theta.stream().allMatch(view -> view.dtype().isFloat())) {
      copyEqual(name, first, Cause.NOT_FLOAT);
      return;
    }
    TensorInfo output = output(first);
    noteNarrowing(output.dtype(), theta);
    tensors.add(merged(name, output, theta));
  }

  private Merged merged(String name, TensorInfo output, List<TensorView> theta) {
    boolean transposed = architecture.role(output) == TensorRole.CONV1D;
    List<Operand> grams =
        needs(method, MethodDescription.Data.GRAMS)
            ? GramTensors.of(inputs, theta, transposed)
            : List.of();
    MergeMethod chosen = grams.isEmpty() ? method.withoutGram() : method;
    List<Operand> fisher =
        needs(chosen, MethodDescription.Data.FISHER)
            ? FisherTensors.of(inputs, architecture, name, theta)
            : List.of();
    return new Merged(new Operands(output, transposed, operands(theta), fisher, grams), chosen);
  }

  private static boolean needs(MergeMethod method, MethodDescription.Data data) {
    return method.description().inputs().data() == data;
  }

  private List<Operand> operands(List<TensorView> views) {
    List<Operand> operands = new ArrayList<>();
    for (int model = 0; model < views.size(); model++) {
      operands.add(operand(model, views.get(model)));
    }
    return operands;
  }

  private Operand operand(int model, TensorView view) {
    return new Operand(inputs.get(model).checkpoint().path(), view);
  }

  /** The tensor of a model; where the model does not store a tied one, what it is tied to. */
  private Optional<TensorView> find(int model, String name) {
    Map<String, TensorView> views = byName.get(model);
    TensorView view = views.get(name);
    if (view == null && Compatibility.isTied(inputs.get(model))) {
      view = views.get(architecture.tied().getOrDefault(name, name));
    }
    return Optional.ofNullable(view);
  }

  private TensorInfo output(TensorView first) {
    return first.info().withFloatsAs(options.dtype());
  }

  private void copyEqual(String name, TensorView first, Cause cause) {
    List<Operand> others = new ArrayList<>();
    for (int model = 1; model < inputs.size(); model++) {
      TensorView view = byName.get(model).get(name);
      if (view != null && !view.shape().equals(first.shape())) {
        throw notShared(name, first, model, view.shape().toString(), "merge models of one shape");
      }
      if (view != null) {
        others.add(operand(model, view));
      }
    }
    tensors.add(new Copied(output(first), operand(0, first), cause, others));
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
      String advice =
          head ? "pass --heads first to keep the first model's" : "merge models of one shape";
      throw notShared(name, first, model, found, advice);
    }
    tensors.add(new Copied(output(first), operand(0, first), Cause.UNSHARED_HEAD, List.of()));
  }

  private MismatchException notShared(
      String name, TensorView first, int model, String found, String advice) {
    Checkpoint expected = inputs.getFirst().checkpoint();
    return new MismatchException(
        "models do not share a tensor",
        inputs.get(model).checkpoint().path() + "|" + name,
        "expected " + first.shape() + " as in " + expected.path() + ", found " + found,
        advice);
  }

  private void dropExtra(int model, TensorView tensor) {
    TensorRole role = architecture.role(tensor.info());
    boolean tied =
        Compatibility.isTied(inputs.getFirst())
            && architecture.tied().containsKey(architecture.bareName(tensor.name()));
    if (tied || role == TensorRole.BUFFER) {
      String reason = tied ? "tied to an embedding" : "a buffer the first model does not store";
      dropped.add(new Dropped(model + 1, tensor.info(), reason));
      return;
    }
    boolean droppable = role == TensorRole.HEAD;
    if (!droppable || options.heads() == HeadPolicy.ERROR) {
      throw new MismatchException(
          "models do not share a tensor",
          inputs.getFirst().checkpoint().path() + "|" + tensor.name(),
          "missing, but in " + inputs.get(model).checkpoint().path(),
          droppable ? "pass --heads first to leave it out" : "merge models of one architecture");
    }
    dropped.add(new Dropped(model + 1, tensor.info(), "the first model has no such tensor"));
  }
}
