package dev.smelt.compress.metric;

import dev.smelt.compress.lowrank.Weight;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;
import java.util.List;

/**
 * H of one side of a layer, positive semidefinite, as a metric has it from the data and before it
 * is made definite: the norm of a change X is tr(H_R Xᵀ H_L X).
 */
public sealed interface Curvature {

  /** tr(H)/n. */
  double meanDiagonal();

  /** H = I. */
  record Flat() implements Curvature {
    @Override
    public double meanDiagonal() {
      return 1;
    }
  }

  /** H = diag(values). */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Diagonal(double[] values) implements Curvature {
    @Override
    public double meanDiagonal() {
      return Arrays.stream(values).sum() / values.length;
    }
  }

  /**
   * H is a Gram matrix in the statistics.
   *
   * @param rows of it, and columns, that are those of H
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Gram(TensorView view, int[] rows) implements Curvature {

    private boolean isWhole() {
      return rows.length == view.shape().size(0);
    }

    @Override
    public double meanDiagonal() {
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
    public double[] toDoubles() {
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

  /**
   * Of both sides of a layer.
   *
   * @param left H_L, out×out
   * @param right H_R, in×in
   */
  record Sides(Curvature left, Curvature right) {}

  /**
   * A root of Σ cⱼHⱼ, made definite as the metric does it.
   *
   * @param parts Hⱼ, of one kind and order
   * @param factors cⱼ ≥ 0, not all of them 0 where Hⱼ is not
   * @param damping see {@link Metric#damping}
   */
  static Rooted root(
      LinearAlgebra algebra, List<? extends Curvature> parts, double[] factors, double damping) {
    List<Gram> grams = parts.stream().filter(Gram.class::isInstance).map(Gram.class::cast).toList();
    if (!grams.isEmpty()) {
      GramRoot root = GramRoot.of(algebra, grams, factors, damping);
      return new Rooted(root.weight(), root.shrinkage());
    }
    double flat = 0;
    double[] sums = new double[0];
    for (int j = 0; j < factors.length; j++) {
      switch (parts.get(j)) {
        case Diagonal(double[] values) -> {
          sums = sums.length == 0 ? new double[values.length] : sums;
          for (int i = 0; i < values.length; i++) {
            sums[i] += factors[j] * values[i];
          }
        }
        case Flat _, Gram _ -> flat += factors[j];
      }
    }
    if (sums.length == 0) {
      return new Rooted(flat == 1 ? Weight.NONE : new Weight.Scaled(Math.sqrt(flat)), 0);
    }
    double mean = Arrays.stream(sums).sum() / sums.length;
    double[] roots = new double[sums.length];
    for (int i = 0; i < sums.length; i++) {
      roots[i] = Math.sqrt(sums[i] + damping * mean);
    }
    return new Rooted(new Weight.Diagonal(roots), 0);
  }

  /**
   * A root, and how far it had to be moved.
   *
   * @param shrinkage as of {@link Metric.Weighted}
   */
  record Rooted(Weight weight, double shrinkage) {}
}
