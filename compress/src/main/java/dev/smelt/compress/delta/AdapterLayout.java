package dev.smelt.compress.delta;

import dev.smelt.compress.delta.DeltaPlan.Planned;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.TensorRole;
import dev.smelt.formats.peft.AdapterConfig;
import dev.smelt.formats.peft.AdapterNames;
import dev.smelt.formats.peft.TaskHeads;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Outcomes as an adapter: names, config and records.
 *
 * <p>PEFT takes tensors in full in two ways. A module under {@code modules_to_save} is replaced as
 * a whole, so all its tensors must be there, changed or not. Any other tensor of the model is
 * loaded over the base's; that holds for biases, under {@code bias: all}, and for parameters that
 * are no module's weight or bias.
 */
final class AdapterLayout {

  /**
   * A tensor of the adapter.
   *
   * @param source of the same shape, or smaller and to be filled up with zeros
   */
  record Output(TensorInfo info, TensorView source) {}

  private final Checkpoint model;
  private final Architecture architecture;
  private final Optional<String> task;
  private final Set<String> heads;
  private final OptionalInt uniformRank;
  private final boolean addPrefix;

  private final SequencedMap<String, Integer> ranks = new LinkedHashMap<>();
  private final SequencedSet<String> saved = new LinkedHashSet<>();
  private final List<Output> outputs = new ArrayList<>();
  private final List<TensorRecord> records = new ArrayList<>();
  private boolean biases;
  private boolean fanInFanOut;
  private boolean tied;

  /**
   * @param uniformRank to which all factors are filled up
   */
  AdapterLayout(Checkpoint model, List<Outcome> outcomes, OptionalInt uniformRank) {
    this.model = model;
    this.architecture = Architecture.of(model.config());
    this.task = TaskHeads.task(model.config());
    this.heads = TaskHeads.savedBy(task);
    this.uniformRank = uniformRank;
    // Checkpoints of the bare network lack the prefix that its modules have below a head.
    this.addPrefix =
        task.isPresent()
            && model.tensors().stream()
                .noneMatch(view -> view.name().startsWith(architecture.prefix()));
    for (Outcome outcome : outcomes) {
      chooseModule(outcome);
    }
    for (Outcome outcome : outcomes) {
      place(outcome);
    }
  }

  List<Output> outputs() {
    return List.copyOf(outputs);
  }

  List<TensorRecord> records() {
    return List.copyOf(records);
  }

  AdapterConfig config(String base) {
    return AdapterConfig.unscaled(ranks, fanInFanOut, biases, List.copyOf(saved), tied, task, base);
  }

  /** Which modules have factors, and which are kept as a whole. */
  private void chooseModule(Outcome outcome) {
    String name = spelled(outcome.tuned().name());
    switch (outcome) {
      case Outcome.Factored factored -> {
        ranks.put(module(name), uniformRank.orElse(factored.rank()));
        fanInFanOut |= factored.matrix().transposed();
        tied |= isTied(factored.tuned());
      }
      case Outcome.Planned(Planned.Whole whole) -> {
        tied |= isTied(whole.tuned());
        String head = architecture.bareName(name).split("\\.", 2)[0];
        boolean norm = architecture.role(whole.tuned().info()) == TensorRole.NORM;
        if (heads.contains(head)) {
          saved.add(head);
        } else if (leaf(name).equals("weight") || (norm && leaf(name).equals("bias"))) {
          saved.add(module(name));
        }
      }
      case Outcome.Planned _ -> {}
    }
  }

  private boolean isTied(TensorView view) {
    return model.config().map(architecture::isTied).orElse(false)
        && architecture.tied().containsValue(architecture.bareName(view.name()));
  }

  private void place(Outcome outcome) {
    switch (outcome) {
      case Outcome.Factored factored -> addFactors(factored);
      case Outcome.Planned(Planned.Whole(TensorView tuned, String reason)) ->
          addWhole(tuned, tuned, reason);
      case Outcome.Planned(Planned.Unchanged(TensorView tuned, Optional<String> reason)) -> {
        if (isSaved(tuned)) {
          addWhole(tuned, tuned, "unchanged, but kept with its module");
        } else {
          record(tuned, TensorRecord.UNCHANGED, reason.orElse(null), null, 0);
        }
      }
      case Outcome.Planned(Planned.LeftOut left) -> {
        if (isSaved(left.tuned()) && left.start().isPresent()) {
          addWhole(left.tuned(), left.start().get(), left.reason());
        } else {
          record(left.tuned(), TensorRecord.DROPPED, left.reason(), left.error().orElse(null), 0);
        }
      }
      case Outcome.Planned(Planned.Changed changed) ->
          throw new IllegalStateException("not decomposed: " + changed.tuned().name());
    }
  }

  private boolean isSaved(TensorView view) {
    String name = spelled(view.name());
    return view.dtype().isFloat()
        && (saved.contains(module(name))
            || saved.contains(architecture.bareName(name).split("\\.", 2)[0]));
  }

  private void addFactors(Outcome.Factored factored) {
    String module = module(spelled(factored.tuned().name()));
    boolean table = factored.matrix().table();
    int rank = uniformRank.orElse(factored.rank());
    TensorView a = factored.a();
    TensorView b = factored.b();
    Output first =
        new Output(
            new TensorInfo(
                AdapterNames.factorA(module, table), a.dtype(), Shape.of(rank, a.shape().size(1))),
            a);
    Output second =
        new Output(
            new TensorInfo(
                AdapterNames.factorB(module, table), b.dtype(), Shape.of(b.shape().size(0), rank)),
            b);
    outputs.add(first);
    outputs.add(second);
    records.add(
        new TensorRecord(
            factored.tuned().name(),
            TensorRecord.DELTA,
            factored.remark().orElse(null),
            rank,
            factored.relativeToTensor(),
            factored.certificate().weightedRelativeError(),
            factored.route().toString(),
            factored.shrinkage() > 0 ? factored.shrinkage() : null,
            null,
            factored.certificate().relativeError(),
            factored.tuned().info().bytes(),
            first.info().bytes() + second.info().bytes()));
  }

  private void addWhole(TensorView tuned, TensorView source, String reason) {
    String name = spelled(tuned.name());
    boolean wrapped = leaf(name).equals("bias") && ranks.containsKey(module(name));
    biases |= leaf(name).equals("bias") && !isSaved(tuned);
    String written = wrapped ? AdapterNames.wrappedBias(module(name)) : AdapterNames.full(name);
    TensorInfo info = new TensorInfo(written, source.dtype(), source.shape());
    outputs.add(new Output(info, source));
    record(tuned, TensorRecord.KEPT, reason, null, info.bytes());
  }

  private void record(
      TensorView tuned,
      String action,
      @Nullable String reason,
      @Nullable Double error,
      long bytesAfter) {
    Double delta = error == null ? null : 1.0;
    records.add(
        new TensorRecord(
            tuned.name(),
            action,
            reason,
            null,
            error,
            delta,
            null,
            null,
            null,
            delta,
            tuned.info().bytes(),
            bytesAfter));
  }

  /** The name that the tensor has below the class with the head. */
  private String spelled(String name) {
    if (!addPrefix || architecture.prefix().isEmpty()) {
      return name;
    }
    String first = name.split("\\.", 2)[0];
    boolean head =
        heads.contains(first) || architecture.tied().keySet().stream().anyMatch(name::equals);
    return head ? name : architecture.prefix() + name;
  }

  private static String module(String name) {
    int dot = name.lastIndexOf('.');
    return dot < 0 ? "" : name.substring(0, dot);
  }

  private static String leaf(String name) {
    return name.substring(name.lastIndexOf('.') + 1);
  }
}
