package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.factorize.FactoredModel.Placed;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.modeling.ModelingCode;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/** A factorised model with its certificates, ready to be written. */
public final class FactorizedOutput {

  private final FactoredModel model;
  private final Optional<DType> dtype;
  private final Map<String, Certificate> certificates;
  private final Map<String, DecomposedLayer> decomposed;
  private final boolean predictsLoss;

  /**
   * @param certificates by module
   * @param decomposed by module
   * @param predictsLoss whether the metric's unit is that of the loss
   */
  FactorizedOutput(
      FactoredModel model,
      Optional<DType> dtype,
      Map<String, Certificate> certificates,
      Map<String, DecomposedLayer> decomposed,
      boolean predictsLoss) {
    this.model = model;
    this.dtype = dtype;
    this.certificates = certificates;
    this.decomposed = decomposed;
    this.predictsLoss = predictsLoss;
  }

  public FactoredModel model() {
    return model;
  }

  /** What will be written. */
  public CheckpointWriter.Content content() {
    Optional<ModelConfig> config = model.config().map(described -> described.withDtype(dtype));
    boolean coded = !model.isDense() && config.isPresent();
    return new CheckpointWriter.Content(
        model.infos(),
        model.metadata(),
        coded ? config.map(ModelingCode::describe) : config,
        ModelingCode.without(model.sideFiles()),
        coded ? ModelingCode.files(config.get()) : Collections.emptySortedMap());
  }

  /** One record per tensor of the input, in its order; one per part where a tensor was split. */
  public List<TensorRecord> records() {
    Map<String, LayerState> byWeight = new HashMap<>();
    for (LayerState state : model.layers().values()) {
      byWeight.put(state.layer().weight().name(), state);
    }
    List<TensorRecord> records = new ArrayList<>();
    Set<String> seen = new LinkedHashSet<>();
    for (Placed placed : model.placed()) {
      String name = placed.input().name();
      if (seen.add(name)) {
        long before = placed.input().info().bytes();
        records.add(
            switch (byWeight.get(name)) {
              case LayerState.Factored factored -> factored(factored, before);
              case LayerState.Dense dense ->
                  TensorRecord.kept(
                      name,
                      "stays dense: " + dense.reason(),
                      before,
                      placed.output().info().bytes());
              case null -> TensorRecord.kept(name, null, before, placed.output().info().bytes());
            });
      }
    }
    return records;
  }

  private TensorRecord factored(LayerState.Factored state, long bytesBefore) {
    String module = state.layer().module();
    DecomposedLayer one = Objects.requireNonNull(decomposed.get(module), module);
    Certificate certificate = Objects.requireNonNull(certificates.get(module), module);
    return new TensorRecord(
        state.layer().weight().name(),
        TensorRecord.FACTORIZED,
        one.remark().orElse(null),
        state.factors().rank(),
        certificate.relativeError(),
        certificate.weightedRelativeError(),
        one.route().toString(),
        one.shrinkage() > 0 ? one.shrinkage() : null,
        predictsLoss ? predictedLoss(one, certificate) : null,
        bytesBefore,
        state.factors().a().info().bytes() + state.factors().b().info().bytes());
  }

  private static double predictedLoss(DecomposedLayer one, Certificate certificate) {
    double error = certificate.weightedRelativeError() * one.spectrum().norm();
    return one.lossPerEnergy() * error * error;
  }

  /** What the user should know of the output as a whole. */
  public List<String> notes() {
    List<String> notes = new ArrayList<>();
    boolean renamed =
        model.placed().stream().anyMatch(one -> one.output().name().endsWith(LowRank.bias("")));
    if (renamed) {
      notes.add("biases of factorized modules are stored as " + LowRank.bias("<module>"));
    }
    if (model.isDense()) {
      notes.add("no matrix was factorized; the output is dense");
    } else {
      model.config().flatMap(ModelingCode::note).ifPresent(notes::add);
    }
    return notes;
  }

  /** Fills every slot of a writer made for {@link #content()}. */
  public void write(CheckpointWriter writer) {
    for (Placed placed : model.placed()) {
      writer.slot(placed.output().name()).transfer(placed.output());
    }
  }
}
