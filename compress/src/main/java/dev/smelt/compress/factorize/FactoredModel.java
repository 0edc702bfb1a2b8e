package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.modeling.ModelingCode;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.LowRank;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
  private final List<Replaced> replaced;
  private final SequencedMap<String, TensorView> byName = new LinkedHashMap<>();

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
    this.replaced = List.copyOf(Replaced.all(dense, layers.values(), stored));
    replaced.forEach(one -> one.outputs().forEach(this::add));
  }

  /** A basis comes with the first that is made of it. */
  private void add(TensorView output) {
    boolean taken = byName.putIfAbsent(output.name(), output) != null;
    if (taken && Basis.heldBy(output.name()).isEmpty()) {
      throw new MismatchException(
          "two output tensors of one name",
          dense.path() + "|" + output.name(),
          "expected it once",
          "rename the model's tensor of this name, or --exclude the matrix");
    }
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

  /** All tensors of the dense model, in its order; of a matrix in parts every part. */
  public List<Replaced> replaced() {
    return replaced;
  }

  /** All layers of one stored matrix: itself, or its parts. */
  List<List<LayerState>> matrices() {
    return List.copyOf(Replaced.byWeight(layers.values()).values());
  }

  LowRank lowRank() {
    return ListedModules.of(matrices());
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
    byName.forEach((name, output) -> writer.slot(name).transfer(output));
  }

  /** What the user should know of how it is stored. */
  public List<String> notes() {
    List<String> notes = new ArrayList<>();
    if (byName.keySet().stream().anyMatch(name -> name.endsWith(LowRank.bias("")))) {
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
    return List.copyOf(byName.values());
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
