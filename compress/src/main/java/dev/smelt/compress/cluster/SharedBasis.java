package dev.smelt.compress.cluster;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;
import java.util.List;

/**
 * A cluster of layers as it will be stored.
 *
 * @param basis Q, [out, r] or [r, in]
 * @param coefficients of each layer, the other factor
 * @param errors ‖W − AB‖/‖W‖ of each, as stored
 * @param error √(Σ‖W − AB‖²/Σ‖W‖²), or the largest of {@code errors} where the promise is one to
 *     every block
 * @param bracket in which the error was known to lie while the cluster grew
 */
record SharedBasis(
    Side side,
    List<Layer> layers,
    TensorView basis,
    List<TensorView> coefficients,
    List<Double> errors,
    double error,
    Cluster.Bracket bracket) {

  SharedBasis {
    layers = List.copyOf(layers);
    coefficients = List.copyOf(coefficients);
    errors = List.copyOf(errors);
  }

  int rank() {
    return Math.toIntExact(basis.shape().size(side == Side.OUTPUT ? 1 : 0));
  }

  /** Of the basis and all coefficients. */
  long bytes() {
    return basis.info().bytes()
        + coefficients.stream().mapToLong(view -> view.info().bytes()).sum();
  }
}
