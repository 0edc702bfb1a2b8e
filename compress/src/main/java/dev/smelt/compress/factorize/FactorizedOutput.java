package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.manifest.TensorRecord;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

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
    return model.content(dtype);
  }

  /** One record per tensor of the input, in its order; one per part where a tensor was split. */
  public List<TensorRecord> records() {
    return model.replaced().stream().map(this::record).toList();
  }

  private TensorRecord record(Replaced one) {
    long after = one.outputs().stream().mapToLong(output -> output.info().bytes()).sum();
    return one.state()
        .map(this::record)
        .orElseGet(
            () -> TensorRecord.kept(one.input().name(), null, one.input().info().bytes(), after));
  }

  private TensorRecord record(LayerState state) {
    Layer layer = state.layer();
    String name = layer.module() + Layer.WEIGHT;
    long before = layer.bytes();
    return switch (state) {
      case LayerState.Factored factored -> factored(factored, name, before);
      case LayerState.Changed _ ->
          throw new IllegalArgumentException(
              name + " is a change, which factorising does not make");
      case LayerState.Dense(Layer _, String reason) ->
          TensorRecord.kept(
              name,
              "stays dense: " + reason,
              before,
              layer.weight().info().withFloatsAs(dtype).dtype().bytes(layer.elements()));
    };
  }

  private TensorRecord factored(LayerState.Factored state, String name, long bytesBefore) {
    String module = state.layer().module();
    DecomposedLayer one = Objects.requireNonNull(decomposed.get(module), module);
    Certificate certificate = Objects.requireNonNull(certificates.get(module), module);
    return new TensorRecord(
        name,
        TensorRecord.FACTORIZED,
        one.remark().orElse(null),
        state.factors().rank(),
        certificate.relativeError(),
        certificate.weightedRelativeError(),
        one.route().toString(),
        one.shrinkage() > 0 ? one.shrinkage() : null,
        predictsLoss ? predictedLoss(one, certificate) : null,
        bytesBefore,
        state.factors().bytes());
  }

  private static double predictedLoss(DecomposedLayer one, Certificate certificate) {
    double error = certificate.weightedRelativeError() * one.spectrum().norm();
    return one.lossPerEnergy() * error * error;
  }

  /** What the user should know of the output as a whole. */
  public List<String> notes() {
    return model.notes();
  }

  /** Fills every slot of a writer made for {@link #content()}. */
  public void write(CheckpointWriter writer) {
    model.write(writer);
  }
}
