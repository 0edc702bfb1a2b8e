package dev.smelt.merge.recipe;

import dev.smelt.merge.method.MethodDescription;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a slice is merged from, in the order in which its method takes it.
 *
 * @param base where the method has one
 * @param models the others
 */
record Operation(Optional<Source> base, List<Source> models) {

  Operation {
    models = List.copyOf(models);
  }

  /**
   * Methods of changes take the base out of the list of models. Those of two models, of which one
   * is the base, begin with it, wherever it stands. To others it is a model like any other, or none
   * of those that are merged.
   */
  static Operation of(MethodDescription method, OutputSlice slice) {
    if (slice.base().isEmpty()) {
      return new Operation(Optional.empty(), slice.sources());
    }
    ModelReference base = slice.base().get();
    List<Source> others = new ArrayList<>();
    Optional<Source> listed = Optional.empty();
    for (Source source : slice.sources()) {
      if (listed.isEmpty() && source.model().equals(base)) {
        listed = Optional.of(source);
      } else {
        others.add(source);
      }
    }
    Source first = listed.orElseGet(() -> unlisted(base, slice));
    if (method.inputs().base() != MethodDescription.Base.NONE) {
      return new Operation(Optional.of(first), others);
    }
    boolean ofTwo = method.inputs().models() == MethodDescription.Models.TWO;
    if (ofTwo && (listed.isPresent() || others.size() == 1)) {
      others.addFirst(first);
      return new Operation(Optional.empty(), others);
    }
    return new Operation(Optional.empty(), slice.sources());
  }

  private static Source unlisted(ModelReference base, OutputSlice slice) {
    return new Source(
        slice.place(), base, slice.sources().getFirst().layers(), Map.of(), Optional.empty());
  }

  /** The base, if there is one, and the models. */
  List<Source> all() {
    List<Source> all = new ArrayList<>();
    base.ifPresent(all::add);
    all.addAll(models);
    return all;
  }
}
