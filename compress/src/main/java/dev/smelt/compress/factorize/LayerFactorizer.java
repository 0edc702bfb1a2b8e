package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.LayerResult.Dense;
import dev.smelt.compress.factorize.LayerResult.Factorized;
import dev.smelt.formats.DType;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/** Factorises one layer at a time: decompose, choose the rank, round, certify. */
final class LayerFactorizer {

  /** A promise that rounding broke is retried with this share more rank, at least one. */
  private static final int RETRY_SHARE = 32;

  private final ComputeDevice device;
  private final FactorizeOptions options;

  LayerFactorizer(ComputeDevice device, FactorizeOptions options) {
    this.device = device;
    this.options = options;
  }

  LayerResult factorize(Layer layer) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Weighting weighting = options.metric().weighting(layer);
      Matrix dense = layer.load(algebra);
      Decomposition decomposition = new Decomposition(algebra, dense, weighting);
      int rank = options.policy().rank(layer, decomposition.energy());
      while (true) {
        if (!options.allowLarger() && !layer.isSmallerAt(rank)) {
          return new Dense(layer, "factors of rank " + rank + " would not be smaller");
        }
        Factorized result = round(algebra, layer, dense, decomposition.factors(rank), weighting);
        if (result.certificate().weightedRelativeError() <= options.policy().promisedError()) {
          return result;
        }
        if (rank == layer.fullRank()) {
          return new Dense(
              layer,
              "rounding to " + result.a().dtype().label() + " alone exceeds the promised error");
        }
        rank = Math.min(layer.fullRank(), rank + Math.max(1, rank / RETRY_SHARE));
      }
    }
  }

  private Factorized round(
      LinearAlgebra algebra,
      Layer layer,
      Matrix dense,
      Decomposition.Factors factors,
      Weighting weighting) {
    DType dtype = options.dtype().orElse(layer.weight().dtype());
    TensorView a = StoredMatrix.round(LowRank.factorA(layer.module()), factors.a(), dtype);
    TensorView b = StoredMatrix.round(LowRank.factorB(layer.module()), factors.b(), dtype);
    int rank = factors.a().cols();
    Certificate certificate =
        Certificate.of(
            algebra,
            dense,
            algebra.matrix(layer.out(), rank, a.toDoubles()),
            algebra.matrix(rank, layer.in(), b.toDoubles()),
            weighting);
    return new Factorized(layer, rank, a, b, certificate, weighting.remark());
  }
}
