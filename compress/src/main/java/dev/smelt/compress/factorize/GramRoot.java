package dev.smelt.compress.factorize;

import dev.smelt.compress.lowrank.Weight;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;

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

  /** A = E[x xᵀ] itself, row-major. */
  static double[] readInputs(Statistics statistics, Layer layer) {
    return read(statistics, Statistic.INPUT_GRAM, layer, layer.in());
  }

  /** G = E[δ δᵀ] itself, row-major, as far as the outputs are the layer's. */
  static double[] readGradients(Statistics statistics, Layer layer) {
    double[] all = read(statistics, Statistic.GRAD_GRAM, layer, layer.storedOut());
    return select(all, layer.outputs(), layer.storedOut());
  }

  /** Of A = E[x xᵀ]. */
  static GramRoot ofInputs(
      LinearAlgebra algebra, Statistics statistics, Layer layer, double damping) {
    return of(algebra, readInputs(statistics, layer), layer.in(), damping);
  }

  /** Of G = E[δ δᵀ], as far as the outputs are the layer's. */
  static GramRoot ofGradients(
      LinearAlgebra algebra, Statistics statistics, Layer layer, double damping) {
    return of(algebra, readGradients(statistics, layer), layer.out(), damping);
  }

  private static double[] select(double[] all, int[] rows, int order) {
    if (rows.length == order) {
      return all;
    }
    double[] selected = new double[rows.length * rows.length];
    for (int i = 0; i < rows.length; i++) {
      for (int k = 0; k < rows.length; k++) {
        selected[i * rows.length + k] = all[rows[i] * order + rows[k]];
      }
    }
    return selected;
  }

  private static GramRoot of(LinearAlgebra algebra, double[] h, int order, double damping) {
    double mean = 0;
    for (int i = 0; i < order; i++) {
      mean += h[i * order + i] / order;
    }
    if (mean == 0) {
      return new GramRoot(Weight.NONE, 0, true);
    }
    try {
      return new GramRoot(root(algebra, h, order, 1, damping * mean), 0, false);
    } catch (NotPositiveDefiniteException e) {
      return shrunk(algebra, h, order, mean, damping);
    }
  }

  private static GramRoot shrunk(
      LinearAlgebra algebra, double[] h, int order, double mean, double damping) {
    double shrinkage = Math.max(damping, SMALLEST_SHRINKAGE);
    while (true) {
      shrinkage = Math.min(1, GROWTH * shrinkage);
      try {
        Weight root = root(algebra, h, order, 1 - shrinkage, shrinkage * mean);
        return new GramRoot(root, shrinkage, false);
      } catch (NotPositiveDefiniteException e) {
        if (shrinkage == 1) {
          throw e;
        }
      }
    }
  }

  private static Weight root(
      LinearAlgebra algebra, double[] h, int order, double factor, double diagonal) {
    double[] damped = new double[h.length];
    for (int i = 0; i < h.length; i++) {
      damped[i] = factor * h[i];
    }
    for (int i = 0; i < order; i++) {
      damped[i * order + i] += diagonal;
    }
    return new Weight.Cholesky(algebra.cholesky(algebra.matrix(order, order, damped)));
  }

  /**
   * @throws NotFoundException when the statistics lack it
   * @throws MismatchException when it is of another order
   */
  private static double[] read(Statistics statistics, Statistic statistic, Layer layer, int order) {
    String name = statistic.tensorName(layer.weight().name());
    TensorView gram =
        statistics
            .find(statistic, layer.weight().name())
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no Gram matrix for a layer",
                        statistics.path() + "|" + name,
                        "",
                        "compute it with smelt fisher --stats input-gram,grad-gram, or --exclude "
                            + layer.module()));
    if (!gram.shape().equals(Shape.of(order, order))) {
      throw new MismatchException(
          "Gram matrix of another shape",
          statistics.path() + "|" + name,
          "expected " + Shape.of(order, order) + ", found " + gram.shape(),
          "compute the statistics of this model");
    }
    gram.firstNonFinite()
        .ifPresent(
            index -> {
              throw new NonFiniteException(
                  "invalid Gram matrix",
                  statistics.path() + "|" + name,
                  "found a NaN or an infinity at index " + index,
                  "compute the statistics again");
            });
    return gram.toDoubles();
  }
}
