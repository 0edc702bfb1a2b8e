package dev.smelt.compress.sharing;

import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;

/**
 * Which stored tensors of several models lie once for all that have them in common: what is the
 * base's, and what two models or more have, bit for bit and under one name. Of several contents of
 * one name it is the one that most models have.
 */
final class ZooLayout {

  private final List<TensorView> common;

  /** Of each model the names of its tensors that lie there. */
  private final List<Set<String>> inCommon;

  private ZooLayout(List<TensorView> common, List<Set<String>> inCommon) {
    this.common = common;
    this.inCommon = inCommon;
  }

  /** Of a model on its own: it has all its tensors to itself. */
  static ZooLayout single() {
    return new ZooLayout(List.of(), List.of(Set.of()));
  }

  /**
   * @param models what is stored of each
   */
  static ZooLayout of(
      List<? extends Checkpoint> models, Optional<Checkpoint> base, StoredTensors stored) {
    Map<String, List<TensorView>> byName = new LinkedHashMap<>();
    for (Checkpoint model : models) {
      for (TensorView tensor : model.tensors()) {
        byName.computeIfAbsent(tensor.name(), name -> new ArrayList<>()).add(tensor);
      }
    }
    SequencedMap<String, TensorView> common = new LinkedHashMap<>();
    byName.forEach(
        (name, tensors) -> {
          Optional<TensorView> original =
              base.flatMap(one -> one.find(name)).map(tensor -> stored.kept(tensor, name));
          original
              .filter(one -> tensors.stream().anyMatch(other -> one.sameBits(other)))
              .or(() -> mostCommon(tensors))
              .ifPresent(tensor -> common.put(name, tensor));
        });
    List<Set<String>> inCommon = new ArrayList<>();
    for (Checkpoint model : models) {
      Set<String> names = new LinkedHashSet<>();
      for (TensorView tensor : model.tensors()) {
        TensorView one = common.get(tensor.name());
        if (one != null && one.sameBits(tensor)) {
          names.add(tensor.name());
        }
      }
      inCommon.add(names);
    }
    return new ZooLayout(List.copyOf(common.values()), inCommon);
  }

  /** Empty where no two are equal. */
  private static Optional<TensorView> mostCommon(List<TensorView> tensors) {
    List<TensorView> left = new ArrayList<>(tensors);
    Optional<TensorView> best = Optional.empty();
    int most = 1;
    while (left.size() > most) {
      TensorView first = left.getFirst();
      int before = left.size();
      left.removeIf(other -> first.sameBits(other));
      if (before - left.size() > most) {
        most = before - left.size();
        best = Optional.of(first);
      }
    }
    return best;
  }

  /** Tensors that lie once for all, in the order in which models have them. */
  List<TensorView> common() {
    return common;
  }

  /** Names of the tensors of a model that lie there, in its order. */
  Set<String> inCommon(int model) {
    return inCommon.get(model);
  }

  /** What tells a stored tensor from all others. */
  String key(int model, TensorView stored) {
    return (inCommon(model).contains(stored.name()) ? "" : model + "/") + stored.name();
  }
}
