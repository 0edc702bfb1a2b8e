package dev.smelt.compress.prune;

import dev.smelt.compress.layer.DerivedModel;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.manifest.TensorRecord.Sparsity;
import dev.smelt.formats.storage.Scratch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/** A model some of whose weights are zero. Tensors are made when they are asked for. */
public final class PrunedModel extends DerivedModel implements ThinnedModel {

  private final SequencedMap<String, PrunedLayer> layers;

  /**
   * @param layers by the name of the tensor, in the order of the source
   * @param scratch that holds the masks, and becomes this model's own
   */
  PrunedModel(
      Checkpoint source,
      SequencedMap<String, PrunedLayer> layers,
      Scratch scratch,
      StoredTensors stored) {
    super(source, infos(source, stored.dtype()), scratch, stored);
    this.layers = layers;
  }

  Checkpoint original() {
    return source();
  }

  SequencedMap<String, PrunedLayer> layers() {
    return layers;
  }

  @Override
  public List<String> trainable() {
    return List.copyOf(layers.keySet());
  }

  @Override
  public void replace(Map<String, TensorView> values) {
    put(values);
  }

  @Override
  public List<String> notes() {
    double[] losses =
        layers.values().stream().flatMapToDouble(layer -> layer.predictedLoss().stream()).toArray();
    return losses.length == 0
        ? List.of()
        : List.of(
            "predicted: the loss of an example, summed over its tokens, rises by %.3g nats; it is more where weights that go act together"
                .formatted(Arrays.stream(losses).sum()));
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
  public List<TensorRecord> write(CheckpointWriter writer, int threads, Progress progress) {
    Map<String, Change> changes = new PrunedWriter(this, threads, progress).write(writer);
    List<TensorRecord> records = new ArrayList<>();
    for (TensorView tensor : source().tensors()) {
      long before = tensor.info().bytes();
      long after = info(tensor.name()).bytes();
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

  private static @Nullable Double boxed(OptionalDouble value) {
    return value.isPresent() ? value.getAsDouble() : null;
  }

  /** Whether the tensor is nothing but the source's with some weights zero, in the same type. */
  boolean isPlain(PrunedLayer layer) {
    TensorView weight = layer.layer().weight();
    return layer.values().isEmpty()
        && !isMade(weight.name())
        && info(weight.name()).dtype() == weight.dtype();
  }

  @Override
  public String kind() {
    return "pruned " + source().kind();
  }

  @Override
  protected TensorView make(String name) {
    PrunedLayer layer = layers.get(name);
    return layer == null
        ? stored().kept(source().tensor(name), name)
        : layer
            .values()
            .orElseGet(
                () ->
                    PrunedWriter.masked(
                        layer.layer().weight(), layer.mask(), info(name), scratch()));
  }
}
