package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.storage.Scratch;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A layer some of whose weights become zero.
 *
 * @param values all weights as they will be stored, those that go being 0, where others change as
 *     well
 * @param predictedLoss by how many nats the criterion predicts that the loss of an example rises
 * @param outputError ‖(W − Ŵ)H^½‖/‖WH^½‖ with the damped Gram matrix H of the inputs, where that is
 *     what was made small
 */
record PrunedLayer(
    Layer layer,
    Mask mask,
    Optional<TensorView> values,
    OptionalDouble predictedLoss,
    OptionalDouble outputError) {

  PrunedLayer(Layer layer, Mask mask) {
    this(layer, mask, Optional.empty(), OptionalDouble.empty(), OptionalDouble.empty());
  }

  PrunedLayer withPredictedLoss(double loss) {
    return new PrunedLayer(layer, mask, values, OptionalDouble.of(loss), outputError);
  }

  /** The same with all values on disk, as what became of another matrix. */
  PrunedLayer settled(Layer original, StoredTensors stored, Scratch scratch) {
    TensorView weight = layer.weight();
    TensorInfo info = new TensorInfo(weight.name(), stored.typeOf(weight), weight.shape());
    TensorView settled = values.orElseGet(() -> PrunedWriter.masked(weight, mask, info, scratch));
    return new PrunedLayer(
        original, mask.stored(scratch), Optional.of(settled), predictedLoss, outputError);
  }
}
