package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/**
 * The norm ‖L X R‖ in which W is approximated.
 *
 * @param left gives L, out×out
 * @param right gives R, in×in
 * @param lossPerEnergy what ‖L X R‖² is to be multiplied with to make different matrices
 *     comparable: for metrics of Fisher information the predicted increase of the loss in nats
 */
public record Weighting(Weight left, Weight right, double lossPerEnergy) {

  /** Elements that are weighted at a time where only their norm is wanted. */
  private static final int BLOCK = 1 << 24;

  public static final Weighting NONE = new Weighting(Weight.NONE, Weight.NONE, 1);

  public boolean isIdentity() {
    return left instanceof Weight.Identity && right instanceof Weight.Identity;
  }

  /** L X R. */
  public Matrix apply(LinearAlgebra algebra, Matrix x) {
    return right.right(algebra, left.left(algebra, x));
  }

  /** ‖L X R‖, with room for one more matrix like X where L is not diagonal. */
  double norm(LinearAlgebra algebra, Matrix x) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix leftDone = left.left(inner, x);
      int step = Math.max(1, BLOCK / x.cols());
      double norm = 0;
      for (int row = 0; row < x.rows(); row += step) {
        try (LinearAlgebra block = inner.inner()) {
          Matrix rows = block.rows(leftDone, row, Math.min(x.rows(), row + step));
          norm = Math.hypot(norm, block.frobenius(right.right(block, rows)));
        }
      }
      return norm;
    }
  }

  /** L⁻¹ A. */
  Matrix undoLeft(LinearAlgebra algebra, Matrix a) {
    return left.undoLeft(algebra, a);
  }

  /** B R⁻¹. */
  Matrix undoRight(LinearAlgebra algebra, Matrix b) {
    return right.undoRight(algebra, b);
  }
}
