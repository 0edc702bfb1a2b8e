package dev.smelt.compress.delta;

import dev.smelt.compress.delta.DeltaPlan.Planned.Whole;
import dev.smelt.compress.layer.Values;
import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.lowrank.Decomposer;
import dev.smelt.compress.lowrank.Decomposition;
import dev.smelt.compress.metric.Metric;
import dev.smelt.formats.DType;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/** Decomposes one change at a time: decompose, choose the rank, round, certify. */
final class DeltaDecomposer {

  /** A promise that rounding broke is retried with this share more rank, at least one. */
  private static final int RETRY_SHARE = 32;

  private final ComputeDevice device;
  private final DeltaOptions options;

  DeltaDecomposer(ComputeDevice device, DeltaOptions options) {
    this.device = device;
    this.options = options;
  }

  Outcome decompose(ChangedMatrix matrix) {
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Metric.Weighted weighted = DeltaMetric.weighting(options.metric(), algebra, matrix);
      Matrix delta = matrix.load(algebra);
      int wanted = options.rank().wanted(matrix.out(), matrix.in(), matrix.fullRank());
      Decomposition decomposition =
          new Decomposer(algebra).decompose(delta, weighted.weighting(), wanted);
      int rank = options.rank().rank(matrix.out(), matrix.in(), decomposition.spectrum());
      while (true) {
        if (!options.allowLarger() && !matrix.isSmallerAt(rank)) {
          return whole(matrix, "factors of rank " + rank + " would not be smaller");
        }
        DeltaFactors factors = round(algebra, matrix, decomposition, rank);
        Certificate certificate =
            Certificate.of(
                algebra,
                delta,
                factors.left(algebra),
                factors.right(algebra),
                weighted.weighting());
        if (certificate.weightedRelativeError() <= options.rank().promisedError()) {
          double share = algebra.frobenius(delta) / Values.norm(matrix.tuned());
          return new Outcome.Factored(
              matrix,
              rank,
              factors.a(),
              factors.b(),
              certificate,
              certificate.relativeError() * share,
              decomposition.route(),
              weighted.shrinkage(),
              weighted.remark());
        }
        if (rank == wanted) {
          String type = factors.a().dtype().label();
          return whole(matrix, "rounding to " + type + " alone exceeds the promised error");
        }
        rank = Math.min(wanted, rank + Math.max(1, rank / RETRY_SHARE));
      }
    }
  }

  private static Outcome whole(ChangedMatrix matrix, String reason) {
    return new Outcome.Planned(new Whole(matrix.tuned(), reason));
  }

  private DeltaFactors round(
      LinearAlgebra algebra, ChangedMatrix matrix, Decomposition decomposition, int rank) {
    DType dtype = options.dtype().orElse(matrix.tuned().dtype());
    Matrix left = algebra.leadingColumns(decomposition.a(), rank);
    Matrix right =
        algebra.transpose(algebra.leadingColumns(algebra.transpose(decomposition.b()), rank));
    return DeltaFactors.round(algebra, matrix, left, right, dtype);
  }
}
