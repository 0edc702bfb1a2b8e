package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.manifest.TensorRecord.Sparsity;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.concurrent.ConcurrentHashMap;

/** A model some of whose weights are zero. Tensors are made when they are asked for. */
public final class PrunedModel implements ThinnedModel {

  private final Checkpoint source;
  private final SequencedMap<String, PrunedLayer> layers;
  private final Scratch scratch;
  private final StoredTensors stored;
  private final Map<String, TensorView> made = new ConcurrentHashMap<>();

  /**
   * @param layers by the name of the tensor, in the order of the source
   * @param scratch that holds the masks, and becomes this model's own
   */
  PrunedModel(
      Checkpoint source,
      SequencedMap<String, PrunedLayer> layers,
      Scratch scratch,
      StoredTensors stored) {
    this.source = source;
    this.layers = layers;
    this.scratch = scratch;
    this.stored = stored;
  }

  /** What it was made of. */
  Checkpoint source() {
    return source;
  }

  StoredTensors stored() {
    return stored;
  }

  SequencedMap<String, PrunedLayer> layers() {
    return layers;
  }

  @Override
  public List<String> trainable() {
    return List.copyOf(layers.keySet());
  }

  /** In the type in which they will be stored. */
  @Override
  public void replace(Map<String, TensorView> values) {
    values.forEach(
        (name, view) ->
            made.put(
                name,
                stored.of(
                    name, stored.typeOf(source.tensor(name)), view.shape(), view.toDoubles())));
  }

  @Override
  public List<String> notes() {
    return List.of();
  }

  /** How many weights the masks make zero. */
  public long zeros() {
    return layers.values().stream().mapToLong(layer -> layer.mask().zeros()).sum();
  }

  /** Of the tensors that were to lose weights. */
  public long weights() {
    return layers.values().stream().mapToLong(layer -> layer.mask().elements()).sum();
  }

  @Override
  public CheckpointWriter.Content content() {
    return new CheckpointWriter.Content(
        infos(), metadata(), config().map(config -> config.withDtype(stored.dtype())), sideFiles());
  }

  @Override
  public List<TensorRecord> write(CheckpointWriter writer, int threads, Progress progress) {
    Map<String, Change> changes = new PrunedWriter(this, threads, progress).write(writer);
    List<TensorRecord> records = new ArrayList<>();
    for (TensorView tensor : source.tensors()) {
      long before = tensor.info().bytes();
      long after = infoOf(tensor).bytes();
      PrunedLayer layer = layers.get(tensor.name());
      records.add(
          layer == null
              ? TensorRecord.kept(tensor.name(), null, before, after)
              : record(layer, Objects.requireNonNull(changes.get(tensor.name())), before, after));
    }
    return records;
  }

  private static TensorRecord record(PrunedLayer layer, Change change, long before, long after) {
    return TensorRecord.pruned(
        layer.layer().weight().name(),
        new Sparsity(layer.mask().elements(), change.zeros()),
        change.relativeError(),
        boxed(layer.outputError()),
        boxed(layer.predictedLoss()),
        before,
        after);
  }

  private static @org.jspecify.annotations.Nullable Double boxed(OptionalDouble value) {
    return value.isPresent() ? value.getAsDouble() : null;
  }

  /** Whether the tensor is nothing but the source's with some weights zero, in the same type. */
  boolean isPlain(PrunedLayer layer) {
    TensorView weight = layer.layer().weight();
    return layer.values().isEmpty()
        && !made.containsKey(weight.name())
        && stored.typeOf(weight) == weight.dtype();
  }

  private TensorInfo infoOf(TensorView tensor) {
    return tensor.info().withFloatsAs(dtype());
  }

  private Optional<DType> dtype() {
    return stored.dtype();
  }

  private TensorView make(PrunedLayer layer) {
    Layer of = layer.layer();
    return layer
        .values()
        .orElseGet(
            () -> PrunedWriter.masked(of.weight(), layer.mask(), infoOf(of.weight()), scratch));
  }

  @Override
  public Path path() {
    return source.path();
  }

  @Override
  public String kind() {
    return "pruned " + source.kind();
  }

  @Override
  public List<TensorView> tensors() {
    return source.tensors().stream().map(this::stored).toList();
  }

  private TensorView stored(TensorView tensor) {
    PrunedLayer layer = layers.get(tensor.name());
    return layer == null
        ? stored.kept(tensor, tensor.name())
        : made.computeIfAbsent(tensor.name(), name -> make(layer));
  }

  @Override
  public Optional<TensorView> find(String name) {
    return source.find(name).map(this::stored);
  }

  @Override
  public List<TensorInfo> infos() {
    return source.tensors().stream().map(this::infoOf).toList();
  }

  @Override
  public long bytes() {
    return infos().stream().mapToLong(TensorInfo::bytes).sum();
  }

  @Override
  public long parameters() {
    return source.parameters();
  }

  @Override
  public Map<String, String> metadata() {
    LowRank lowRank = LowRank.of(source);
    return lowRank.modules().isEmpty() ? Map.of() : lowRank.headerMetadata();
  }

  @Override
  public Optional<ModelConfig> config() {
    return source.config();
  }

  @Override
  public List<String> leftOut() {
    return source.leftOut();
  }

  @Override
  public List<Path> weightFiles() {
    return source.weightFiles();
  }

  @Override
  public List<Path> sideFiles() {
    return source.sideFiles();
  }

  @Override
  public void close() {
    scratch.close();
  }
}
