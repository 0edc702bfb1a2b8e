package dev.smelt.compress.delta;

import dev.smelt.compress.delta.DeltaPlan.Planned;
import dev.smelt.compress.layer.Values;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.formats.model.TensorRole;
import dev.smelt.formats.peft.TaskHeads;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Holds a fine-tuned model against its base, tensor by tensor. */
final class DeltaPlanner {
  /** One matrix more and its bytes overflow the int that the engine's buffers are sized with. */
  private static final long MAX_ELEMENTS = Integer.MAX_VALUE / Double.BYTES;

  private final Checkpoint model;
  private final Checkpoint base;
  private final NamePatterns selection;
  private final Architecture architecture;
  private final Set<String> heads;
  private final Map<String, TensorView> byBareName = new HashMap<>();

  DeltaPlanner(Checkpoint model, Checkpoint base, NamePatterns selection) {
    this.model = model;
    this.base = base;
    this.selection = selection;
    this.architecture = Architecture.of(model.config());
    this.heads = TaskHeads.savedBy(TaskHeads.task(model.config()));
    base.tensors().forEach(view -> byBareName.put(bare(view), view));
  }

  /**
   * @throws MismatchException when the two share no tensor, or differ where a change cannot be kept
   */
  DeltaPlan plan() {
    selection.requireMatches(model);
    List<Planned> planned = new ArrayList<>();
    Set<String> missing = new HashSet<>(byBareName.keySet());
    for (TensorView tuned : model.tensors()) {
      planned.add(plan(tuned));
      missing.remove(bare(tuned));
    }
    if (missing.size() == byBareName.size()) {
      throw new MismatchException(
          "the model and its base share no tensor name",
          model.path() + ", " + base.path(),
          "",
          "give the model that it was tuned from");
    }
    List<String> notes =
        base.tensors().stream()
            .filter(view -> missing.contains(bare(view)))
            .map(view -> view.name() + " is in the base only; the model with its adapter has it")
            .toList();
    return new DeltaPlan(planned, notes);
  }

  private String bare(TensorView view) {
    return architecture.bareName(view.name());
  }

  private Planned plan(TensorView tuned) {
    @Nullable TensorView start = byBareName.get(bare(tuned));
    TensorRole role = architecture.role(tuned.info());
    boolean same =
        start != null && start.shape().equals(tuned.shape()) && Values.equal(tuned, start);
    boolean savedHead = heads.contains(bare(tuned).split("\\.", 2)[0]);
    if (savedHead && tuned.dtype().isFloat()) {
      return new Planned.Whole(tuned, "head of the task, which PEFT always keeps in full");
    }
    if (same) {
      return new Planned.Unchanged(tuned, Optional.empty());
    }
    Optional<String> tied = tiedTo(tuned);
    if (tied.isPresent()) {
      return new Planned.Unchanged(tuned, Optional.of("tied to " + tied.get()));
    }
    if (role == TensorRole.BUFFER) {
      return new Planned.LeftOut(
          tuned,
          Optional.ofNullable(start),
          "computed by the network, not learned",
          Optional.empty());
    }
    if (!selection.selects(tuned.name())) {
      return new Planned.LeftOut(
          tuned,
          Optional.ofNullable(start),
          "not selected: stays as in the base",
          start == null ? Optional.empty() : error(tuned, start));
    }
    if (!tuned.dtype().isFloat()) {
      throw new MismatchException(
          "tensor of " + tuned.dtype().label() + " differs from the base",
          model.path() + "|" + tuned.name(),
          "an adapter holds floats only",
          "pass --exclude " + tuned.name() + " to leave it as in the base");
    }
    return start == null
        ? new Planned.Whole(tuned, "not in the base")
        : changed(tuned, start, role);
  }

  private Planned changed(TensorView tuned, TensorView start, TensorRole role) {
    if (!start.shape().equals(tuned.shape())) {
      return new Planned.Whole(tuned, "shape " + tuned.shape() + ", in the base " + start.shape());
    }
    boolean matrix =
        tuned.shape().isMatrix()
            && tuned.name().endsWith(ChangedMatrix.WEIGHT)
            && start.dtype().isFloat()
            && role != TensorRole.NORM;
    if (!matrix) {
      return new Planned.Whole(tuned, "no matrix");
    }
    if (tuned.elements() > MAX_ELEMENTS) {
      return new Planned.Whole(tuned, "too large to be decomposed");
    }
    String name = tuned.name();
    return new Planned.Changed(
        new ChangedMatrix(
            model.path(),
            name.substring(0, name.length() - ChangedMatrix.WEIGHT.length()),
            tuned,
            start,
            role == TensorRole.CONV1D,
            role == TensorRole.EMBEDDING));
  }

  /** The tensor that this one is a stored copy of. */
  private Optional<String> tiedTo(TensorView tuned) {
    String source = architecture.tied().get(bare(tuned));
    if (source == null || !model.config().map(architecture::isTied).orElse(false)) {
      return Optional.empty();
    }
    return model.tensors().stream()
        .filter(view -> bare(view).equals(source))
        .filter(view -> view.shape().equals(tuned.shape()) && Values.equal(view, tuned))
        .map(TensorView::name)
        .findFirst();
  }

  private static Optional<Double> error(TensorView tuned, TensorView start) {
    boolean comparable =
        start.shape().equals(tuned.shape()) && start.dtype().isFloat() && tuned.dtype().isFloat();
    double norm = comparable ? Values.norm(tuned) : 0;
    return norm == 0 ? Optional.empty() : Optional.of(Values.distance(tuned, start) / norm);
  }
}
