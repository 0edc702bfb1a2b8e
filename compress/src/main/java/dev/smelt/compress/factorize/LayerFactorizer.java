package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.LayerResult.Dense;
import dev.smelt.compress.factorize.LayerResult.Factorized;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.lowrank.Decomposer;
import dev.smelt.compress.lowrank.Decomposition;
import dev.smelt.compress.lowrank.Spectrum;
import dev.smelt.formats.DType;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;

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
      Metric.Weighted weighted = options.metric().weighting(algebra, layer);
      Matrix dense = layer.load(algebra);
      Decomposition decomposition =
          new Decomposer(algebra).decompose(dense, weighted.weighting(), layer.fullRank());
      int rank = options.policy().rank(layer, energy(decomposition.spectrum()));
      while (true) {
        if (!options.allowLarger() && !layer.isSmallerAt(rank)) {
          return new Dense(layer, "factors of rank " + rank + " would not be smaller");
        }
        Factorized result = round(algebra, layer, dense, decomposition, rank, weighted);
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

  private static double[] energy(Spectrum spectrum) {
    double[] energy = new double[spectrum.size()];
    Arrays.setAll(energy, spectrum::share);
    return energy;
  }

  private Factorized round(
      LinearAlgebra algebra,
      Layer layer,
      Matrix dense,
      Decomposition decomposition,
      int rank,
      Metric.Weighted weighted) {
    DType dtype = options.dtype().orElse(layer.weight().dtype());
    Matrix leftFactor = algebra.leadingColumns(decomposition.a(), rank);
    Matrix rightFactor =
        algebra.transpose(algebra.leadingColumns(algebra.transpose(decomposition.b()), rank));
    TensorView a = StoredMatrix.round(LowRank.factorA(layer.module()), leftFactor, dtype);
    TensorView b = StoredMatrix.round(LowRank.factorB(layer.module()), rightFactor, dtype);
    Certificate certificate =
        Certificate.of(
            algebra,
            dense,
            algebra.matrix(layer.out(), rank, a.toDoubles()),
            algebra.matrix(rank, layer.in(), b.toDoubles()),
            weighted.weighting());
    return new Factorized(layer, rank, a, b, certificate, weighted.remark());
  }
}
