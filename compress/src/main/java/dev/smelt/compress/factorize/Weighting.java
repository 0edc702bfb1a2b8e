package dev.smelt.compress.factorize;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Optional;

/**
 * Diagonal weights L = diag(left), out×out, and R = diag(right), in×in; absent ones are I.
 *
 * @param remark why the weights are not what the metric asked for, if they are not
 */
record Weighting(Optional<double[]> left, Optional<double[]> right, Optional<String> remark) {

  static final Weighting NONE = new Weighting(Optional.empty(), Optional.empty(), Optional.empty());

  boolean isIdentity() {
    return left.isEmpty() && right.isEmpty();
  }

  /** L X R. */
  Matrix apply(LinearAlgebra algebra, Matrix x) {
    return scale(algebra, x, left, right);
  }

  /** L⁻¹ A. */
  Matrix undoLeft(LinearAlgebra algebra, Matrix a) {
    return scale(algebra, a, left.map(Weighting::inverse), Optional.empty());
  }

  /** B R⁻¹. */
  Matrix undoRight(LinearAlgebra algebra, Matrix b) {
    return scale(algebra, b, Optional.empty(), right.map(Weighting::inverse));
  }

  private static Matrix scale(
      LinearAlgebra algebra, Matrix x, Optional<double[]> rows, Optional<double[]> cols) {
    Matrix scaled = rows.isPresent() ? algebra.scaleRows(x, rows.get()) : x;
    return cols.isPresent() ? algebra.scaleColumns(scaled, cols.get()) : scaled;
  }

  static double[] inverse(double[] weights) {
    double[] inverse = new double[weights.length];
    for (int i = 0; i < weights.length; i++) {
      inverse[i] = 1 / weights[i];
    }
    return inverse;
  }
}
