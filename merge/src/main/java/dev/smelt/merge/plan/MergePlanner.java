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

  private final List<PlanPart> parts;
  private final List<MergeInput> inputs;
  private final MergeOptions options;
  private final MethodDescription method;
  private final MethodChoice choice;
  private final Architecture architecture;
  private final List<Map<String, TensorView>> byName = new ArrayList<>();
  private final List<Planned> tensors = new ArrayList<>();
  private final List<Dropped> dropped = new ArrayList<>();
  private final TreeSet<String> notes = new TreeSet<>();

  private MergePlanner(
      List<PlanPart> parts, MethodDescription method, MethodChoice choice, MergeOptions options) {
    this.parts = parts;
    this.inputs = parts.stream().map(PlanPart::input).toList();
    this.method = method;
    this.choice = choice;
    this.options = options;
    this.architecture = Architecture.of(inputs.getFirst().checkpoint().config());
    for (PlanPart part : parts) {
      byName.add(byBareName(part));
    }
  }

  private Map<String, TensorView> byBareName(PlanPart part) {
    Map<String, TensorView> views = new HashMap<>();
    part.tensors()
        .forEach(
            (name, view) -> {
              TensorView other = views.put(architecture.bareName(name), view);
              if (other != null) {
                throw new MismatchException(
                    "two tensors of one meaning",
                    part.input().checkpoint().path().toString(),
                    "found " + other.name() + " and " + view.name(),
                    "remove one of them");
              }
            });
    return views;
  }

  /**
   * @param inputs the base first, if the method has one
   * @throws dev.smelt.formats.UsageException when statistics are missing
   * @throws MismatchException when models, shapes or statistics do not belong together
   */
  public static MergePlan plan(List<MergeInput> inputs, MergeMethod method, MergeOptions options) {
    List<PlanPart> parts = new ArrayList<>();
    for (MergeInput input : inputs) {
      parts.add(PlanPart.whole(input, parts.size() + 1));
    }
    MergePlanner planner = new MergePlanner(parts, method.description(), (_, _) -> method, options);
    planner.notes.add(
        "config and side files are those of " + inputs.getFirst().checkpoint().path());
    return planner.plan();
  }

  /**
   * As {@link #plan(List, MergeMethod, MergeOptions)} for parts of models, with a method that may
   * be another one for each tensor.
   *
   * @param parts the base's first, if the method has one
   */
  public static MergePlan plan(
      List<PlanPart> parts, MethodDescription method, MethodChoice choice, MergeOptions options) {
    return new MergePlanner(parts, method, choice, options).plan();
  }

  /**
   * @throws MismatchException when models cannot be put together at all
   */
  public static void requireMergeable(List<MergeInput> inputs) {
    Compatibility.require(inputs, Architecture.of(inputs.getFirst().checkpoint().config()));
  }

  private MergePlan plan() {
    Compatibility.require(inputs, architecture);
    boolean onStatistics = method.inputs().data() != MethodDescription.Data.NONE;
    if (onStatistics && !options.anyModel()) {
      ModelStatistics.requireOwn(inputs);
    }
    parts
        .getFirst()
        .tensors()
        .forEach((name, view) -> decide(architecture.bareName(name), name, view));
    for (PlanPart part : parts.subList(1, parts.size())) {
      part.tensors()
          .forEach(
              (name, view) -> {
                if (!byName.getFirst().containsKey(architecture.bareName(name))) {
                  dropExtra(part, name, view);
                }
              });
    }
    return new MergePlan(
        inputs.stream().map(input -> input.checkpoint().path()).toList(),
        tensors,
        dropped,
        List.copyOf(notes));
  }

  /**
   * @param name without the family's prefix
   * @param output the name it is written under
   */
  private void decide(String name, String output, TensorView first) {
    TensorInfo info = output(output, first);
    if (architecture.role(info) == TensorRole.BUFFER) {
      copyEqual(name, info, first, Cause.BUFFER);
      return;
    }
    List<TensorView> theta = new ArrayList<>();
    for (int model = 0; model < inputs.size(); model++) {
      Optional<TensorView> view = find(model, name);
      if (view.isEmpty() || !view.get().shape().equals(first.shape())) {
        keepHead(name, info, first, model, view.map(v -> v.shape().toString()).orElse("missing"));
        return;
      }
      theta.add(view.get());
    }
    if (!theta.stream().allMatch(view -> view.dtype().isFloat())) {
      copyEqual(name, info, first, Cause.NOT_FLOAT);
      return;
    }
    noteNarrowing(info.dtype(), theta);
    tensors.add(merged(name, info, choice.of(output, theta), theta));
  }

  private Merged merged(
      String name, TensorInfo output, MergeMethod wanted, List<TensorView> theta) {
    boolean transposed = architecture.role(output) == TensorRole.CONV1D;
    // The Gram matrix of a tied embedding is that of the head, and says nothing of looking up rows.
    boolean lookup = architecture.role(output) == TensorRole.EMBEDDING;
    List<Operand> grams =
        needs(wanted, MethodDescription.Data.GRAMS) && !lookup
            ? GramTensors.of(inputs, theta, transposed)
            : List.of();
    MergeMethod chosen = grams.isEmpty() ? wanted.withoutGram() : wanted;
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

  private TensorInfo output(String name, TensorView first) {
    return new TensorInfo(name, first.dtype(), first.shape()).withFloatsAs(options.dtype());
  }

  private void copyEqual(String name, TensorInfo output, TensorView first, Cause cause) {
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
    tensors.add(new Copied(output, operand(0, first), cause, others));
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

  private void keepHead(String name, TensorInfo output, TensorView first, int model, String found) {
    boolean head = architecture.role(output) == TensorRole.HEAD;
    if (!head || options.heads() == HeadPolicy.ERROR) {
      String advice =
          head ? "pass --heads first to keep the first model's" : "merge models of one shape";
      if (architecture.hasRowPerToken(name)) {
        advice += ", or choose a vocabulary with --tokenizer base or --tokenizer union";
      }
      throw notShared(name, first, model, found, advice);
    }
    tensors.add(new Copied(output, operand(0, first), Cause.UNSHARED_HEAD, List.of()));
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

  private void dropExtra(PlanPart part, String name, TensorView tensor) {
    TensorRole role = architecture.role(output(name, tensor));
    boolean tied =
        Compatibility.isTied(inputs.getFirst())
            && architecture.tied().containsKey(architecture.bareName(name));
    if (tied || role == TensorRole.BUFFER) {
      String reason = tied ? "tied to an embedding" : "a buffer the first model does not store";
      dropped.add(new Dropped(part.model(), tensor.info(), reason));
      return;
    }
    boolean droppable = role == TensorRole.HEAD;
    if (!droppable || options.heads() == HeadPolicy.ERROR) {
      throw new MismatchException(
          "models do not share a tensor",
          inputs.getFirst().checkpoint().path() + "|" + name,
          "missing, but in " + part.input().checkpoint().path(),
          droppable ? "pass --heads first to leave it out" : "merge models of one architecture");
    }
    dropped.add(new Dropped(part.model(), tensor.info(), "the first model has no such tensor"));
  }
}
