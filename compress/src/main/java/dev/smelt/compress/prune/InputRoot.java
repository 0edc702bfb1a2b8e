package dev.smelt.compress.prune;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;

/**
 * One factorisation of the damped Gram matrix H of a layer's inputs that serves both for its
 * inverse and for errors of the outputs.
 *
 * @param lower L, lower triangular, f64, with LLᵀ = JHJ, where J turns around the order of inputs
 */
public record InputRoot(Matrix lower) {

  /**
   * @param h H, in×in
   */
  static InputRoot of(LinearAlgebra algebra, Matrix h) {
    try (LinearAlgebra inner = algebra.inner()) {
      return new InputRoot(algebra.keep(inner.cholesky(inner.reverse(h))));
    }
  }

  /** U = JL⁻¹J, upper triangular, with UᵀU = H⁻¹. */
  public Matrix inverse(LinearAlgebra algebra) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix inverse = inner.solveLower(lower, inner.identity(lower.rows(), Precision.F64));
      return algebra.keep(inner.reverse(inverse));
    }
  }

  /**
   * ‖(W − Ŵ)H^½‖/‖WH^½‖, or 0 where W is zero.
   *
   * @param before W, out×in
   * @param after Ŵ, in the same precision
   */
  double relativeError(LinearAlgebra algebra, Matrix before, Matrix after) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix root = inner.convert(lower, before.precision());
      double all = norm(inner, before, root);
      return all == 0 ? 0 : norm(inner, inner.subtract(before, after), root) / all;
    }
  }

  /** ‖XH^½‖ of an X with as many columns as there are inputs. */
  public double norm(LinearAlgebra algebra, Matrix x) {
    try (LinearAlgebra inner = algebra.inner()) {
      return norm(inner, x, inner.convert(lower, x.precision()));
    }
  }

  /** ‖XH^½‖ = ‖XJL‖, since XHXᵀ = (XJL)(XJL)ᵀ; turning around the rows as well changes nothing. */
  private static double norm(LinearAlgebra algebra, Matrix x, Matrix root) {
    try (LinearAlgebra inner = algebra.inner()) {
      return inner.frobenius(inner.multiplyLower(inner.reverse(x), root));
    }
  }
}
