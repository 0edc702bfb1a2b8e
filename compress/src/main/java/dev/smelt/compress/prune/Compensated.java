package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Optional;
import java.util.OptionalDouble;

/** A layer whose weights make up for those that went. */
final class Compensated {

  private Compensated() {}

  /**
   * Rounds the weights and says what the layer's outputs have lost.
   *
   * @param before W, out×in
   * @param after Ŵ as the tensor is stored, row-major, in full precision
   * @param root of H
   */
  static PrunedLayer of(
      LinearAlgebra algebra,
      Layer layer,
      Mask mask,
      Matrix before,
      double[] after,
      InputRoot root,
      StoredTensors stored) {
    mask.clear(0, after.length, after);
    TensorView weight = layer.weight();
    TensorView values = stored.of(weight.name(), stored.typeOf(weight), weight.shape(), after);
    Matrix written = algebra.load(Layer.asMatrix(values), before.precision(), layer.transposed());
    return new PrunedLayer(
        layer,
        mask,
        Optional.of(values),
        OptionalDouble.empty(),
        OptionalDouble.of(root.relativeError(algebra, before, written)));
  }
}
