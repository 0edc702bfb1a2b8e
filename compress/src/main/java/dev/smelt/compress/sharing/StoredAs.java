package dev.smelt.compress.sharing;

import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What became of one tensor of a model.
 *
 * @param layer that it is, if it was looked at
 * @param stored what it is made of now
 */
record StoredAs(int model, TensorView tensor, Optional<Layer> layer, List<TensorView> stored) {

  /** All tensors of a model. */
  static List<StoredAs> of(
      int model, Checkpoint dense, FactoredModel factored, Map<String, LayerState> states) {
    Map<String, LayerState> byWeight = new HashMap<>();
    Map<String, String> renamed = new HashMap<>();
    states.forEach(
        (module, state) -> {
          byWeight.put(state.layer().weight().name(), state);
          if (state instanceof LayerState.Factored) {
            renamed.put(module + ".bias", LowRank.bias(module));
          }
        });
    List<StoredAs> all = new ArrayList<>();
    for (TensorView tensor : dense.tensors()) {
      Optional<LayerState> state = Optional.ofNullable(byWeight.get(tensor.name()));
      String name = renamed.getOrDefault(tensor.name(), tensor.name());
      List<TensorView> stored =
          state
              .map(StoredAs::factors)
              .filter(found -> !found.isEmpty())
              .orElseGet(() -> List.of(factored.tensor(name)));
      all.add(new StoredAs(model, tensor, state.map(LayerState::layer), stored));
    }
    return all;
  }

  /** Empty where the matrix stays as it is. */
  private static List<TensorView> factors(LayerState state) {
    return switch (state) {
      case LayerState.Factored(Layer _, var factors) -> List.of(factors.a(), factors.b());
      case LayerState.Changed(Layer _, TensorView base, var factors) ->
          List.of(base, factors.a(), factors.b());
      case LayerState.Dense _ -> List.of();
    };
  }
}
