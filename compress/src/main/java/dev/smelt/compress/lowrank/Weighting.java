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

  public static final Weighting NONE = new Weighting(Weight.NONE, Weight.NONE, 1);

  public boolean isIdentity() {
    return left instanceof Weight.Identity && right instanceof Weight.Identity;
  }

  /** L X R. */
  public Matrix apply(LinearAlgebra algebra, Matrix x) {
    return right.right(algebra, left.left(algebra, x));
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
