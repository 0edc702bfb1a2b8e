package dev.smelt.merge.recipe;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Blocks of the output, one after another.
 *
 * @param sources the models that are merged, in the order of the recipe
 * @param base θ₀, or a model that must come first
 * @param parameters that hold for this slice, by name
 */
public record OutputSlice(
    Place place,
    List<Source> sources,
    Optional<ModelReference> base,
    Map<String, Setting> parameters) {

  public OutputSlice {
    sources = List.copyOf(sources);
    parameters = Map.copyOf(parameters);
  }
}
