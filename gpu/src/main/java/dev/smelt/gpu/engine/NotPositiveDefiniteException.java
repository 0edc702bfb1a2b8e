package dev.smelt.gpu.engine;

import java.io.Serial;

/** A Cholesky factorisation met a pivot that is not positive. */
public final class NotPositiveDefiniteException extends ArithmeticException {

  @Serial private static final long serialVersionUID = 1L;

  private final int order;

  /**
   * @param order the smallest leading minor that is not positive definite, from 1
   * @param size of the matrix
   */
  NotPositiveDefiniteException(int order, int size) {
    super("leading minor " + order + " of " + size + " is not positive definite");
    this.order = order;
  }

  /** The smallest leading minor that is not positive definite, from 1. */
  public int order() {
    return order;
  }
}
