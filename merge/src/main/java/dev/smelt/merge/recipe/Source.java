package dev.smelt.merge.recipe;

import java.util.Map;
import java.util.Optional;

/**
 * A model that takes part in a slice of the output.
 *
 * @param layers which of its blocks; empty: all
 * @param parameters that hold for this model, by name
 * @param fisher the file of its Fisher information
 */
public record Source(
    Place place,
    ModelReference model,
    Optional<LayerRange> layers,
    Map<String, Setting> parameters,
    Optional<String> fisher) {

  public Source {
    parameters = Map.copyOf(parameters);
  }
}
