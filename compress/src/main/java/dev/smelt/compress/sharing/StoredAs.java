package dev.smelt.compress.sharing;

import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What became of one tensor of a model.
 *
 * @param layer that it is, if it was looked at
 * @param stored what it is made of now
 */
record StoredAs(int model, TensorView tensor, Optional<Layer> layer, List<TensorView> stored) {

  /** All tensors of a model; of a matrix in parts every part. */
  static List<StoredAs> of(
      int model, Checkpoint dense, FactoredModel factored, Map<String, LayerState> states) {
    Map<String, List<LayerState>> byWeight = new HashMap<>();
    Map<String, String> renamed = new HashMap<>();
    states.forEach(
        (module, state) -> {
          byWeight
              .computeIfAbsent(state.layer().weight().name(), name -> new ArrayList<>())
              .add(state);
          if (state instanceof LayerState.Factored && state.layer().part().isEmpty()) {
            renamed.put(module + ".bias", LowRank.bias(module));
          }
        });
    List<StoredAs> all = new ArrayList<>();
    for (TensorView tensor : dense.tensors()) {
      String name = renamed.getOrDefault(tensor.name(), tensor.name());
      List<LayerState> found = byWeight.getOrDefault(tensor.name(), List.of());
      if (found.isEmpty()) {
        all.add(new StoredAs(model, tensor, Optional.empty(), List.of(factored.tensor(name))));
      }
      for (LayerState state : found) {
        String own = found.size() == 1 ? name : state.layer().module() + Layer.WEIGHT;
        List<TensorView> factors = factors(state);
        all.add(
            new StoredAs(
                model,
                tensor,
                Optional.of(state.layer()),
                factors.isEmpty() ? List.of(factored.tensor(own)) : factors));
      }
    }
    return all;
  }

  /** Of a matrix, or a part of one, as it was. */
  static long bytes(Layer layer) {
    Shape shape = Shape.of(layer.out(), layer.in());
    return new TensorInfo(layer.module(), layer.weight().dtype(), shape).bytes();
  }

  /** Empty where the matrix stays as it is. */
  private static List<TensorView> factors(LayerState state) {
    return switch (state) {
      case LayerState.Factored(Layer _, var factors) -> factors.stored();
      case LayerState.Changed(Layer _, TensorView base, var factors) ->
          Stream.concat(Stream.of(base), factors.stored().stream()).toList();
      case LayerState.Dense _ -> List.of();
    };
  }
}
