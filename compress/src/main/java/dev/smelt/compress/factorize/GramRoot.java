package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weight;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import java.util.stream.IntStream;

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

  /**
   * Where H lies in the statistics.
   *
   * @param rows of it, and columns, that are those of H
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  private record Stored(TensorView view, int[] rows) {

    boolean isWhole() {
      return rows.length == view.shape().size(0);
    }

    double meanDiagonal() {
      int order = Math.toIntExact(view.shape().size(0));
      double[] one = new double[1];
      double sum = 0;
      for (int row : rows) {
        view.read((long) row * order + row, 1, one);
        sum += one[0];
      }
      return sum / rows.length;
    }

    /** factor · H + diagonal · I. */
    Matrix load(LinearAlgebra algebra, double factor, double diagonal) {
      if (isWhole()) {
        return algebra.loadShifted(view, factor, diagonal);
      }
      double[] values = toDoubles();
      for (int i = 0; i < values.length; i++) {
        values[i] = factor * values[i] + (i % (rows.length + 1) == 0 ? diagonal : 0);
      }
      return algebra.matrix(rows.length, rows.length, values);
    }

    /** Row-major. */
    double[] toDoubles() {
      double[] all = view.toDoubles();
      if (isWhole()) {
        return all;
      }
      int order = Math.toIntExact(view.shape().size(0));
      double[] selected = new double[rows.length * rows.length];
      for (int i = 0; i < rows.length; i++) {
        for (int k = 0; k < rows.length; k++) {
          selected[i * rows.length + k] = all[rows[i] * order + rows[k]];
        }
      }
      return selected;
    }
  }

  /** A = E[x xᵀ] itself, row-major. */
  static double[] readInputs(Statistics statistics, Layer layer) {
    return inputs(statistics, layer).toDoubles();
  }

  /** G = E[δ δᵀ] itself, row-major, as far as the outputs are the layer's. */
  static double[] readGradients(Statistics statistics, Layer layer) {
    return gradients(statistics, layer).toDoubles();
  }

  /** Of A = E[x xᵀ]. */
  static GramRoot ofInputs(
      LinearAlgebra algebra, Statistics statistics, Layer layer, double damping) {
    return of(algebra, inputs(statistics, layer), damping);
  }

  /** Of G = E[δ δᵀ], as far as the outputs are the layer's. */
  static GramRoot ofGradients(
      LinearAlgebra algebra, Statistics statistics, Layer layer, double damping) {
    return of(algebra, gradients(statistics, layer), damping);
  }

  private static Stored inputs(Statistics statistics, Layer layer) {
    return new Stored(
        find(statistics, Statistic.INPUT_GRAM, layer, layer.in()),
        IntStream.range(0, layer.in()).toArray());
  }

  private static Stored gradients(Statistics statistics, Layer layer) {
    return new Stored(
        find(statistics, Statistic.GRAD_GRAM, layer, layer.storedOut()), layer.outputs());
  }

  private static GramRoot of(LinearAlgebra algebra, Stored h, double damping) {
    double mean = h.meanDiagonal();
    if (mean == 0) {
      return new GramRoot(Weight.NONE, 0, true);
    }
    try {
      return new GramRoot(root(algebra, h, 1, damping * mean), 0, false);
    } catch (NotPositiveDefiniteException e) {
      return shrunk(algebra, h, mean, damping);
    }
  }

  private static GramRoot shrunk(LinearAlgebra algebra, Stored h, double mean, double damping) {
    double shrinkage = Math.max(damping, SMALLEST_SHRINKAGE);
    while (true) {
      shrinkage = Math.min(1, GROWTH * shrinkage);
      try {
        return new GramRoot(root(algebra, h, 1 - shrinkage, shrinkage * mean), shrinkage, false);
      } catch (NotPositiveDefiniteException e) {
        if (shrinkage == 1) {
          throw e;
        }
      }
    }
  }

  private static Weight root(LinearAlgebra algebra, Stored h, double factor, double diagonal) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix damped = h.load(inner, factor, diagonal);
      return new Weight.Cholesky(algebra.keep(inner.cholesky(damped)));
    }
  }

  /**
   * @throws NotFoundException when the statistics lack it
   * @throws MismatchException when it is of another order
   */
  private static TensorView find(
      Statistics statistics, Statistic statistic, Layer layer, int order) {
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
    return gram;
  }
}
