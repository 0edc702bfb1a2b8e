package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Stream;

/**
 * A tensor of the dense model, or a part of it, and what is stored in its place.
 *
 * @param state of the layer that it is, if it is one
 * @param outputs a basis is there for each that is made of it
 */
public record Replaced(TensorView input, Optional<LayerState> state, List<TensorView> outputs) {

  public Replaced {
    outputs = List.copyOf(outputs);
  }

  /** All tensors of a dense model, in its order; of a matrix in parts every part. */
  static List<Replaced> all(Checkpoint dense, Collection<LayerState> layers, StoredTensors stored) {
    Map<String, List<LayerState>> byWeight = byWeight(layers);
    Map<String, String> renamed = new HashMap<>();
    for (LayerState state : layers) {
      if (state instanceof LayerState.Factored && state.layer().part().isEmpty()) {
        String module = state.layer().module();
        renamed.put(LowRank.denseBias(module), LowRank.bias(module));
      }
    }
    List<Replaced> replaced = new ArrayList<>();
    for (TensorView tensor : dense.tensors()) {
      List<LayerState> states = byWeight.getOrDefault(tensor.name(), List.of());
      boolean stays = states.stream().allMatch(LayerState.Dense.class::isInstance);
      String name = renamed.getOrDefault(tensor.name(), tensor.name());
      List<TensorView> whole = stays ? List.of(stored.kept(tensor, name)) : List.of();
      if (states.isEmpty()) {
        replaced.add(new Replaced(tensor, Optional.empty(), whole));
      }
      for (LayerState state : states) {
        List<TensorView> outputs = stays ? whole : outputs(tensor, state, stored);
        replaced.add(new Replaced(tensor, Optional.of(state), outputs));
        // The first part of a matrix that stays answers for all of it.
        whole = List.of();
      }
    }
    return replaced;
  }

  /** The layers of each stored matrix: itself, or its parts. */
  static SequencedMap<String, List<LayerState>> byWeight(Collection<LayerState> layers) {
    SequencedMap<String, List<LayerState>> byWeight = new LinkedHashMap<>();
    for (LayerState state : layers) {
      String weight = state.layer().weight().name();
      byWeight.computeIfAbsent(weight, name -> new ArrayList<>()).add(state);
    }
    return byWeight;
  }

  private static List<TensorView> outputs(
      TensorView tensor, LayerState state, StoredTensors stored) {
    return switch (state) {
      case LayerState.Factored(Layer _, Factors factors) -> factors.stored();
      case LayerState.Changed(Layer _, TensorView base, Factors factors) ->
          Stream.concat(Stream.of(base), factors.stored().stream()).toList();
      // A part beside factors of others.
      case LayerState.Dense(Layer layer, String _) -> {
        Shape shape = Shape.of(layer.out(), layer.in());
        String name = layer.module() + Layer.WEIGHT;
        yield List.of(stored.of(name, stored.typeOf(tensor), shape, layer.toDoubles()));
      }
    };
  }
}
