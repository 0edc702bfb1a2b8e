package dev.smelt.compress.sharing;

import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Basis;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * Which stored tensors of several models lie once for all that have them in common: what is the
 * base's, and what two models or more have, bit for bit and under one name. Of several contents of
 * one name it is the one that most models have.
 */
final class ZooLayout {

  private final SequencedMap<String, TensorView> common;
  private final Map<String, Integer> users = new HashMap<>();
  private final Map<String, Integer> served = new HashMap<>();

  private ZooLayout(SequencedMap<String, TensorView> common) {
    this.common = common;
  }

  /** Of a model on its own: it has all its tensors to itself. */
  static ZooLayout single() {
    return new ZooLayout(new LinkedHashMap<>());
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
              .filter(one -> tensors.stream().anyMatch(other -> Subjects.sameBits(one, other)))
              .or(() -> mostCommon(tensors))
              .ifPresent(tensor -> common.put(name, tensor));
        });
    return new ZooLayout(common);
  }

  /** Empty where no two are equal. */
  private static Optional<TensorView> mostCommon(List<TensorView> tensors) {
    List<TensorView> left = new ArrayList<>(tensors);
    Optional<TensorView> best = Optional.empty();
    int most = 1;
    while (left.size() > most) {
      TensorView first = left.getFirst();
      int before = left.size();
      left.removeIf(other -> Subjects.sameBits(first, other));
      if (before - left.size() > most) {
        most = before - left.size();
        best = Optional.of(first);
      }
    }
    return best;
  }

  /** Tensors that lie once for all, in the order in which models have them. */
  List<TensorView> common() {
    return List.copyOf(common.values());
  }

  boolean isCommon(TensorView stored) {
    TensorView one = common.get(stored.name());
    return one != null && Subjects.sameBits(one, stored);
  }

  /**
   * Says that something of a model is made of a stored tensor, so that its bytes are shared out.
   */
  void use(int model, TensorView stored) {
    users.merge(key(model, stored), 1, Integer::sum);
  }

  /** The part of a stored tensor's bytes that the next of its users answers for. */
  long nextShare(int model, TensorView stored) {
    String key = key(model, stored);
    int index = served.merge(key, 1, Integer::sum) - 1;
    return Basis.share(stored.info().bytes(), index, users.getOrDefault(key, 1));
  }

  private String key(int model, TensorView stored) {
    return (isCommon(stored) ? "" : model + "/") + stored.name();
  }
}
