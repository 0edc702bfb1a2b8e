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
   * @param h H
   */
  static PrunedLayer of(
      LinearAlgebra algebra,
      Layer layer,
      Mask mask,
      Matrix before,
      double[] after,
      Matrix h,
      StoredTensors stored) {
    mask.clear(0, after.length, after);
    TensorView weight = layer.weight();
    TensorView values = stored.of(weight.name(), stored.typeOf(weight), weight.shape(), after);
    return new PrunedLayer(
        layer,
        mask,
        Optional.of(values),
        OptionalDouble.empty(),
        OptionalDouble.of(outputError(algebra, layer, before, values, h)));
  }

  /** ‖(W − Ŵ)H^½‖/‖WH^½‖. */
  static double outputError(
      LinearAlgebra algebra, Layer layer, Matrix before, TensorView after, Matrix h) {
    Matrix root = algebra.convert(algebra.cholesky(h), before.precision());
    Matrix written = algebra.load(Layer.asMatrix(after), before.precision(), layer.transposed());
    double lost = norm(algebra, algebra.subtract(before, written), root);
    double all = norm(algebra, before, root);
    return all == 0 ? 0 : lost / all;
  }

  /** ‖XL‖ with LLᵀ = H. */
  private static double norm(LinearAlgebra algebra, Matrix x, Matrix root) {
    try (LinearAlgebra inner = algebra.inner()) {
      return inner.frobenius(inner.multiplyLower(x, root));
    }
  }
}
