package dev.smelt.compress.metric;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weight;
import dev.smelt.gpu.engine.Latest;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import dev.smelt.gpu.statistics.Statistics;
import java.util.List;

/**
 * The Cholesky root of a Gram matrix H that was estimated from data, made positive definite: H +
 * δμI with μ the mean of its diagonal and δ the damping; where that is not enough for rounding, (1
 * − s)H + sμI with the smallest s of 10δ, 100δ … that is.
 *
 * @param weight {@link Weight#NONE} where H is zero
 * @param shrinkage s; 0 where damping was enough
 */
record GramRoot(Weight weight, double shrinkage, boolean isZero) {

  /** Damping of zero would have nothing to grow from. */
  private static final double SMALLEST_SHRINKAGE = 1e-12;

  private static final double GROWTH = 10;

  /** Of A = E[x xᵀ]. */
  static GramRoot ofInputs(
      LinearAlgebra algebra, Statistics statistics, Layer layer, double damping) {
    return of(algebra, List.of(Grams.ofInputs(statistics, layer)), new double[] {1}, damping);
  }

  /** Of G = E[δ δᵀ], as far as the outputs are the layer's. */
  static GramRoot ofGradients(
      LinearAlgebra algebra, Statistics statistics, Layer layer, double damping) {
    return of(algebra, List.of(Grams.ofGradients(statistics, layer)), new double[] {1}, damping);
  }

  /**
   * Of Σ cⱼHⱼ.
   *
   * @param grams Hⱼ, of one order
   * @param factors cⱼ
   */
  static GramRoot of(
      LinearAlgebra algebra, List<Curvature.Gram> grams, double[] factors, double damping) {
    Sum h = new Sum(grams, factors);
    double mean = h.meanDiagonal();
    if (mean == 0) {
      return new GramRoot(Weight.NONE, 0, true);
    }
    try {
      return new GramRoot(h.root(algebra, 1, damping * mean), 0, false);
    } catch (NotPositiveDefiniteException e) {
      return shrunk(algebra, h, mean, damping);
    }
  }

  private static GramRoot shrunk(LinearAlgebra algebra, Sum h, double mean, double damping) {
    double shrinkage = Math.max(damping, SMALLEST_SHRINKAGE);
    while (true) {
      shrinkage = Math.min(1, GROWTH * shrinkage);
      try {
        return new GramRoot(h.root(algebra, 1 - shrinkage, shrinkage * mean), shrinkage, false);
      } catch (NotPositiveDefiniteException e) {
        if (shrinkage == 1) {
          throw e;
        }
      }
    }
  }

  /** H as it lies in the statistics of one layer or several. */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  private record Sum(List<Curvature.Gram> grams, double[] factors) {

    double meanDiagonal() {
      double mean = 0;
      for (int j = 0; j < factors.length; j++) {
        mean += factors[j] * grams.get(j).meanDiagonal();
      }
      return mean;
    }

    /** Of scale · H + diagonal · I. */
    Weight root(LinearAlgebra algebra, double scale, double diagonal) {
      try (LinearAlgebra inner = algebra.inner();
          Latest sum = new Latest(inner)) {
        sum.set(grams.getFirst().load(inner, scale * factors[0], diagonal));
        for (int j = 1; j < factors.length; j++) {
          try (LinearAlgebra one = inner.inner()) {
            Matrix negative = grams.get(j).load(one, -scale * factors[j], 0);
            sum.set(one.subtract(sum.get().orElseThrow(), negative));
          }
        }
        return new Weight.Cholesky(algebra.keep(inner.cholesky(sum.get().orElseThrow())));
      }
    }
  }
}
