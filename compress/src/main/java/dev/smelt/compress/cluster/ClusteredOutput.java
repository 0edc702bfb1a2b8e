package dev.smelt.compress.cluster;

import dev.smelt.compress.factorize.FactoredModel;
import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.ClusterRecord;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.Basis;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A model with shared bases, its certificates known, ready to be written. */
public final class ClusteredOutput {

  private final FactoredModel model;
  private final Checkpoint dense;
  private final List<Layer> layers;
  private final List<SharedBasis> shared;
  private final Map<String, SharedBasis> alone;

  ClusteredOutput(
      FactoredModel model,
      Checkpoint dense,
      List<Layer> layers,
      List<SharedBasis> shared,
      Map<String, SharedBasis> alone) {
    this.model = model;
    this.dense = dense;
    this.layers = layers;
    this.shared = shared;
    this.alone = alone;
  }

  public FactoredModel model() {
    return model;
  }

  /** One per basis that is shared. */
  public List<ClusterRecord> clusters() {
    return shared.stream()
        .map(
            one ->
                new ClusterRecord(
                    one.basis().name(),
                    one.side().toString(),
                    one.layers().stream().map(Layer::module).toList(),
                    one.rank(),
                    one.error(),
                    one.bracket().lower(),
                    one.bracket().upper(),
                    one.layers().stream().mapToLong(layer -> layer.weight().info().bytes()).sum(),
                    one.bytes()))
        .toList();
  }

  /**
   * One record per tensor of the input, in its order. The bytes of a basis are shared out among its
   * layers.
   */
  public List<TensorRecord> records() {
    Map<String, TensorRecord> byWeight = new HashMap<>();
    for (SharedBasis one : shared) {
      add(byWeight, one, TensorRecord.CLUSTERED);
    }
    alone.values().forEach(one -> add(byWeight, one, TensorRecord.FACTORIZED));
    Set<String> selected = new HashSet<>();
    layers.forEach(layer -> selected.add(layer.weight().name()));
    List<TensorRecord> records = new ArrayList<>();
    for (TensorView tensor : dense.tensors()) {
      TensorRecord record = byWeight.get(tensor.name());
      if (record == null) {
        boolean stays = selected.contains(tensor.name());
        String reason = stays ? "stays dense: neither shared nor own factors are smaller" : null;
        long after = tensor.info().withFloatsAs(model.dtype()).bytes();
        record = TensorRecord.kept(tensor.name(), reason, tensor.info().bytes(), after);
      }
      records.add(record);
    }
    return records;
  }

  private static void add(Map<String, TensorRecord> records, SharedBasis one, String action) {
    for (int i = 0; i < one.layers().size(); i++) {
      TensorView weight = one.layers().get(i).weight();
      long basis = Basis.share(one.basis().info().bytes(), i, one.layers().size());
      double error = one.errors().get(i);
      records.put(
          weight.name(),
          new TensorRecord(
              weight.name(),
              action,
              null,
              one.rank(),
              error,
              error,
              null,
              null,
              null,
              weight.info().bytes(),
              basis + one.coefficients().get(i).info().bytes()));
    }
  }
}
