package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.modeling.ModelingCode;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Sharing;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Stream;

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
  public sealed interface LayerState {
    Layer layer();

    /** Factors in place of the matrix. */
    record Factored(Layer layer, Factors factors) implements LayerState {}

    /**
     * Factors as a change of another matrix, W = W₀ + A·B.
     *
     * @param base W₀ as it will be stored, with the name and shape of the layer's tensor
     */
    record Changed(Layer layer, TensorView base, Factors factors) implements LayerState {

      /**
       * @throws IllegalArgumentException when W₀ is no matrix in place of the layer's
       */
      public Changed {
        boolean fits =
            base.name().equals(layer.weight().name())
                && base.shape().equals(layer.weight().shape());
        if (!fits || layer.part().isPresent()) {
          throw new IllegalArgumentException(
              "no change of a whole matrix: " + layer.weight().info() + " of " + base.info());
        }
      }
    }

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
   * @param metric by which factors were chosen, for the config
   * @param layers by module, in the order of the dense model; a factor may be a {@link Basis} that
   *     several of them have
   */
  public FactoredModel(
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
    Set<String> bases = new HashSet<>();
    for (TensorView tensor : dense.tensors()) {
      List<LayerState> states = byWeight.getOrDefault(tensor.name(), List.of());
      if (!states.stream().allMatch(LayerState.Dense.class::isInstance)) {
        for (LayerState state : states) {
          place(tensor, state, stored).stream()
              .filter(
                  one ->
                      Basis.heldBy(one.output().name()).isEmpty() || bases.add(one.output().name()))
              .forEach(placed::add);
        }
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
      case LayerState.Factored(Layer _, Factors factors) -> place(tensor, factors.stored());
      case LayerState.Changed(Layer _, TensorView base, Factors factors) ->
          place(tensor, Stream.concat(Stream.of(base), factors.stored().stream()).toList());
      // A part beside factors of others.
      case LayerState.Dense(Layer layer, String _) -> {
        Shape shape = Shape.of(layer.out(), layer.in());
        String name = layer.module() + Layer.WEIGHT;
        yield List.of(
            new Placed(tensor, stored.of(name, stored.typeOf(tensor), shape, layer.toDoubles())));
      }
    };
  }

  private static List<Placed> place(TensorView tensor, List<TensorView> outputs) {
    return outputs.stream().map(output -> new Placed(tensor, output)).toList();
  }

  /** The same model with other factors in some modules. */
  FactoredModel with(Map<String, Factors> replaced) {
    SequencedMap<String, LayerState> changed = new LinkedHashMap<>(layers);
    replaced.forEach(
        (module, factors) ->
            changed.computeIfPresent(module, (name, state) -> with(state, factors)));
    return new FactoredModel(dense, metric, changed, stored);
  }

  private static LayerState with(LayerState state, Factors factors) {
    return state instanceof LayerState.Changed changed
        ? new LayerState.Changed(changed.layer(), changed.base(), factors)
        : new LayerState.Factored(state.layer(), factors);
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
              : module(states.getFirst()));
    }
    return new LowRank(modules);
  }

  private static LowRank.Module module(LayerState state) {
    return switch (state) {
      case LayerState.Factored(Layer layer, Factors factors) ->
          new LowRank.Module(factors.rank(), layer.transposed(), sharing(factors));
      case LayerState.Changed(Layer layer, TensorView _, Factors factors) ->
          new LowRank.Module(factors.rank(), layer.transposed(), sharing(factors), true);
      case LayerState.Dense(Layer layer, String _) ->
          throw new IllegalArgumentException(layer.module() + " is dense");
    };
  }

  private static Sharing sharing(Factors factors) {
    Optional<Sharing> left = Basis.named(factors.a().name()).map(Sharing.OfA::new);
    Optional<Sharing> right = Basis.named(factors.b().name()).map(Sharing.OfB::new);
    return left.or(() -> right).orElse(new Sharing.None());
  }

  private static LowRank.Part part(LayerState state) {
    FusedPart part = state.layer().part().orElseThrow();
    return switch (state) {
      case LayerState.Factored(Layer _, Factors factors) ->
          new LowRank.Part(
              part.name(), part.slice(), OptionalInt.of(factors.rank()), sharing(factors));
      case LayerState.Changed _ ->
          throw new IllegalArgumentException(state.layer().module() + " is no whole matrix");
      case LayerState.Dense _ -> new LowRank.Part(part.name(), part.slice(), OptionalInt.empty());
    };
  }

  /**
   * What will be written of it.
   *
   * @param dtype of all floats; absent: as they are
   */
  public CheckpointWriter.Content content(Optional<DType> dtype) {
    Optional<ModelConfig> config = config().map(described -> described.withDtype(dtype));
    boolean coded = !isDense() && config.isPresent();
    return new CheckpointWriter.Content(
        infos(),
        metadata(),
        coded ? config.map(ModelingCode::describe) : config,
        ModelingCode.without(sideFiles()),
        coded ? ModelingCode.files(config.get()) : Collections.emptySortedMap());
  }

  /** Fills every slot of a writer made for {@link #content}. */
  public void write(CheckpointWriter writer) {
    for (Placed placed : placed) {
      writer.slot(placed.output().name()).transfer(placed.output());
    }
  }

  /** What the user should know of how it is stored. */
  public List<String> notes() {
    List<String> notes = new ArrayList<>();
    if (placed.stream().anyMatch(one -> one.output().name().endsWith(LowRank.bias("")))) {
      notes.add("biases of factorized modules are stored as " + LowRank.bias("<module>"));
    }
    if (isDense()) {
      notes.add("no matrix was factorized; the output is dense");
    } else {
      config().flatMap(ModelingCode::note).ifPresent(notes::add);
    }
    return notes;
  }

  /** Of all floats that are written; absent: each as it was. */
  public Optional<DType> dtype() {
    return stored.dtype();
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
    return dense.config().map(one -> isDense() ? one : described(one));
  }

  private ModelConfig described(ModelConfig config) {
    List<String> scaled =
        tensors().stream().filter(view -> view.scales().isPresent()).map(TensorView::name).toList();
    return LowRank.withScaled(lowRank().describe(config, metric), scaled);
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
