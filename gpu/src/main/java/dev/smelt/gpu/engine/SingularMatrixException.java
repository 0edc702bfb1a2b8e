package dev.smelt.gpu.engine;

import java.io.Serial;

/** A linear system whose matrix has an exactly zero pivot. */
public final class SingularMatrixException extends ArithmeticException {

  @Serial private static final long serialVersionUID = 1L;

  /**
   * @param pivot the zero pivot, from 1
   * @param size of the matrix
   */
  SingularMatrixException(int pivot, int size) {
    super("pivot " + pivot + " of " + size + " is zero");
  }
}
