package dev.smelt.compress.dampen;

import dev.smelt.compress.dampen.Planned.Dampened;
import dev.smelt.compress.dampen.Planned.Kept;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.model.NamePatterns;
import dev.smelt.gpu.statistics.Statistics;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What becomes of each tensor of a model, known before values are read: lowered where both files of
 * statistics have its Fisher information. A stored copy of a tied tensor has that of its original.
 *
 * @param tensors in the model's order
 * @param notes what statistics hold that the model lacks
 */
record DampenPlan(List<Planned> tensors, List<String> notes) {

  private static final String WEIGHT = ".weight";

  DampenPlan {
    tensors = List.copyOf(tensors);
    notes = List.copyOf(notes);
  }

  /**
   * @throws UsageException when a pattern matches nothing, or one of two tied tensors alone
   * @throws MismatchException when Fisher information has another shape than its tensor
   * @throws NotFoundException when there is none of any tensor that was chosen
   * @throws UnsupportedException when there is some of a tensor that is not of floats
   */
  static DampenPlan of(Checkpoint model, Statistics forget, Statistics retain, NamePatterns names) {
    names.requireMatches(model);
    Planner planner = new Planner(model, Architecture.of(model.config()), forget, retain, names);
    List<Planned> tensors = new ArrayList<>();
    for (TensorView tensor : model.tensors()) {
      tensors.add(planner.plan(tensor));
    }
    if (tensors.stream().noneMatch(Dampened.class::isInstance)) {
      throw new NotFoundException(
          "no Fisher information of any tensor chosen",
          model.path().toString(),
          "",
          "compute that of this model with smelt fisher");
    }
    List<String> notes = new ArrayList<>();
    for (Statistics statistics : List.of(forget, retain)) {
      planner.strangers(statistics).ifPresent(notes::add);
    }
    return new DampenPlan(tensors, notes);
  }

  private record Planner(
      Checkpoint model,
      Architecture architecture,
      Statistics forget,
      Statistics retain,
      NamePatterns names) {

    Planned plan(TensorView tensor) {
      String holder = holder(tensor.name());
      boolean chosen = names.selects(tensor.name());
      if (chosen != names.selects(holder)) {
        throw new UsageException(
            tensor.name() + " and " + holder + " are one tensor, of which one is chosen",
            "include both, or exclude both");
      }
      if (!chosen) {
        return new Kept(tensor, Optional.empty());
      }
      Optional<TensorView> forgotten = forget.diagonal(holder);
      Optional<TensorView> retained = retain.diagonal(holder);
      if (forgotten.isEmpty() || retained.isEmpty()) {
        Statistics lacking = forgotten.isEmpty() ? forget : retain;
        String reason =
            tensor.dtype().isFloat()
                ? "no Fisher information in " + lacking.path()
                : "not of floats, " + tensor.dtype().label();
        return new Kept(tensor, Optional.of(reason));
      }
      if (!tensor.dtype().isFloat()) {
        throw new UnsupportedException(
            "cannot dampen a tensor of integers",
            model.path() + "|" + tensor.name(),
            "expected floats, found " + tensor.dtype().label(),
            "use smelt expand first, or pass --exclude " + tensor.name());
      }
      requireShape(forget, tensor, forgotten.get());
      requireShape(retain, tensor, retained.get());
      return new Dampened(tensor, forgotten.get(), retained.get());
    }

    private void requireShape(Statistics statistics, TensorView tensor, TensorView diagonal) {
      if (!diagonal.shape().equals(tensor.shape())) {
        throw new MismatchException(
            "Fisher information of another shape",
            statistics.path() + "|" + diagonal.name(),
            "expected " + tensor.shape() + ", found " + diagonal.shape(),
            "compute the statistics of this model, or pass --exclude " + tensor.name());
      }
    }

    /** The tensor under whose name statistics have this one: itself, or what it is a copy of. */
    private String holder(String name) {
      if (forget.diagonal(name).isPresent() || retain.diagonal(name).isPresent()) {
        return name;
      }
      String bare = architecture.bareName(name);
      return architecture.tied().entrySet().stream()
          .flatMap(tie -> original(bare, tie.getKey(), tie.getValue()).stream())
          .flatMap(found -> List.of(found, architecture.prefix() + found).stream())
          .filter(found -> model.find(found).isPresent())
          .findFirst()
          .orElse(name);
    }

    /** What a tensor is a copy of by a tie of two matrices, which may be stored as factors. */
    private static Optional<String> original(String name, String copy, String source) {
      if (name.equals(copy)) {
        return Optional.of(source);
      }
      boolean matrices = copy.endsWith(WEIGHT) && source.endsWith(WEIGHT);
      String module = copy.substring(0, Math.max(0, copy.length() - WEIGHT.length() + 1));
      return matrices && name.startsWith(module)
          ? Optional.of(
              source.substring(0, source.length() - WEIGHT.length() + 1)
                  + name.substring(module.length()))
          : Optional.empty();
    }

    /** What the statistics have Fisher information of and the model lacks. */
    Optional<String> strangers(Statistics statistics) {
      Set<String> stored = new HashSet<>();
      model.tensors().forEach(tensor -> stored.add(tensor.name()));
      List<String> lacking =
          statistics.parameters().stream().filter(name -> !stored.contains(name)).toList();
      return lacking.isEmpty()
          ? Optional.empty()
          : Optional.of(
              "%s has Fisher information of %,d tensor(s) that the model lacks, such as %s"
                  .formatted(statistics.path(), lacking.size(), lacking.getFirst()));
    }
  }
}
