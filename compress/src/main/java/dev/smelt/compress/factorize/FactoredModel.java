package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.LowRank;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;

/**
 * A model some of whose matrices are factors, before it is written: a checkpoint like any other,
 * which a network can be loaded from. It lives as long as the dense model it was made of and the
 * scratch files that hold its factors; closing it closes neither.
 */
public final class FactoredModel implements Checkpoint {

  private final Checkpoint dense;
  private final String metric;
  private final SequencedMap<String, LayerState> layers;
  private final StoredTensors stored;
  private final List<Placed> placed;
  private final Map<String, TensorView> byName = new HashMap<>();

  /** What became of a layer. */
  sealed interface LayerState {
    Layer layer();

    /** Factors in place of the matrix. */
    record Factored(Layer layer, Factors factors) implements LayerState {}

    /**
     * The matrix itself.
     *
     * @param reason for the user
     */
    record Dense(Layer layer, String reason) implements LayerState {}
  }

  /**
   * A tensor of the output.
   *
   * @param input the tensor of the dense model that it is or stands for
   */
  record Placed(TensorView input, TensorView output) {}

  /**
   * @param layers by module
   */
  FactoredModel(
      Checkpoint dense,
      String metric,
      SequencedMap<String, LayerState> layers,
      StoredTensors stored) {
    this.dense = dense;
    this.metric = metric;
    this.layers = layers;
    this.stored = stored;
    this.placed = place(dense, layers, stored);
    for (Placed one : placed) {
      byName.put(one.output().name(), one.output());
    }
  }

  private static List<Placed> place(
      Checkpoint dense, SequencedMap<String, LayerState> layers, StoredTensors stored) {
    Map<String, List<LayerState>> byWeight = byWeight(layers);
    Map<String, String> renamed = new HashMap<>();
    layers.forEach(
        (module, state) -> {
          if (state instanceof LayerState.Factored && state.layer().part().isEmpty()) {
            renamed.put(module + ".bias", LowRank.bias(module));
          }
        });
    List<Placed> placed = new ArrayList<>();
    for (TensorView tensor : dense.tensors()) {
      List<LayerState> states = byWeight.getOrDefault(tensor.name(), List.of());
      if (states.stream().anyMatch(LayerState.Factored.class::isInstance)) {
        states.forEach(state -> placed.addAll(place(tensor, state, stored)));
      } else {
        String name = renamed.getOrDefault(tensor.name(), tensor.name());
        placed.add(new Placed(tensor, stored.kept(tensor, name)));
      }
    }
    return placed;
  }

  private static Map<String, List<LayerState>> byWeight(SequencedMap<String, LayerState> layers) {
    Map<String, List<LayerState>> byWeight = new LinkedHashMap<>();
    for (LayerState state : layers.values()) {
      String weight = state.layer().weight().name();
      byWeight.computeIfAbsent(weight, name -> new ArrayList<>()).add(state);
    }
    return byWeight;
  }

  private static List<Placed> place(TensorView tensor, LayerState state, StoredTensors stored) {
    return switch (state) {
      case LayerState.Factored(Layer _, Factors factors) ->
          List.of(new Placed(tensor, factors.a()), new Placed(tensor, factors.b()));
      // A part beside factors of others.
      case LayerState.Dense(Layer layer, String _) -> {
        Shape shape = Shape.of(layer.out(), layer.in());
        String name = layer.module() + Layer.WEIGHT;
        yield List.of(
            new Placed(tensor, stored.of(name, stored.typeOf(tensor), shape, layer.toDoubles())));
      }
    };
  }

  /** The same model with other factors in some modules. */
  FactoredModel with(Map<String, Factors> replaced) {
    SequencedMap<String, LayerState> changed = new LinkedHashMap<>(layers);
    replaced.forEach(
        (module, factors) ->
            changed.computeIfPresent(
                module, (name, state) -> new LayerState.Factored(state.layer(), factors)));
    return new FactoredModel(dense, metric, changed, stored);
  }

  Checkpoint dense() {
    return dense;
  }

  StoredTensors stored() {
    return stored;
  }

  SequencedMap<String, LayerState> layers() {
    return layers;
  }

  List<Placed> placed() {
    return placed;
  }

  /** All layers of one stored matrix: itself, or its parts. */
  List<List<LayerState>> matrices() {
    return List.copyOf(byWeight(layers).values());
  }

  LowRank lowRank() {
    LinkedHashMap<String, LowRank.Entry> modules = new LinkedHashMap<>();
    for (List<LayerState> states : matrices()) {
      Layer first = states.getFirst().layer();
      if (states.stream().allMatch(LayerState.Dense.class::isInstance)) {
        continue;
      }
      modules.put(
          first.whole(),
          first.part().isPresent()
              ? new LowRank.Split(
                  states.stream().map(FactoredModel::part).toList(), first.transposed())
              : new LowRank.Module(rank(states.getFirst()).orElseThrow(), first.transposed()));
    }
    return new LowRank(modules);
  }

  private static LowRank.Part part(LayerState state) {
    FusedPart part = state.layer().part().orElseThrow();
    return new LowRank.Part(part.name(), part.rows(), rank(state));
  }

  private static OptionalInt rank(LayerState state) {
    return state instanceof LayerState.Factored factored
        ? OptionalInt.of(factored.factors().rank())
        : OptionalInt.empty();
  }

  boolean isDense() {
    return lowRank().modules().isEmpty();
  }

  @Override
  public Path path() {
    return dense.path();
  }

  @Override
  public String kind() {
    return "factors of " + dense.kind();
  }

  @Override
  public List<TensorView> tensors() {
    return placed.stream().map(Placed::output).toList();
  }

  @Override
  public Optional<TensorView> find(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  @Override
  public Map<String, String> metadata() {
    return isDense() ? Map.of() : lowRank().headerMetadata();
  }

  @Override
  public Optional<ModelConfig> config() {
    return dense.config().map(one -> isDense() ? one : lowRank().describe(one, metric));
  }

  @Override
  public List<Path> weightFiles() {
    return dense.weightFiles();
  }

  @Override
  public List<Path> sideFiles() {
    return dense.sideFiles();
  }

  @Override
  public void close() {}
}
