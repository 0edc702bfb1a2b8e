package dev.smelt.gpu.engine;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;

/** What must hold of the operands of {@link LinearAlgebra}, whatever computes with them. */
final class Operands {

  /** Above it the bytes of a matrix overflow the int that the engine's buffers are sized with. */
  private static final int MAX_ELEMENTS = Integer.MAX_VALUE / Double.BYTES;

  private Operands() {}

  static void requireElements(int rows, int cols, int found) {
    if (rows < 1 || cols < 1) {
      throw new IllegalArgumentException("matrix: " + rows + "x" + cols + " has no elements");
    }
    requireSize(rows, cols);
    if (rows * cols != found) {
      throw new IllegalArgumentException(
          "matrix: " + rows + "x" + cols + " needs " + rows * cols + " values, found " + found);
    }
  }

  static void requireSize(long rows, long cols) {
    if (rows * cols > MAX_ELEMENTS) {
      throw new LimitException(
          "matrix too large",
          rows + "x" + cols,
          "has " + rows * cols + " elements, at most " + MAX_ELEMENTS,
          "leave it out");
    }
  }

  static void requireFinite(String name, double value, int index, int firstRow, int cols) {
    if (!Double.isFinite(value)) {
      throw new NonFiniteException(
          "matrix value is not finite",
          name + ", row " + (firstRow + index / cols) + ", column " + index % cols,
          "is " + value,
          "repair the tensor it came from");
    }
  }

  static void requireSquare(String operation, Matrix a) {
    requireEqual(operation + ": rows against columns", a.rows(), a.cols());
  }

  static void requireEqual(String what, int expected, int found) {
    if (expected != found) {
      throw new IllegalArgumentException(what + ": " + expected + " and " + found);
    }
  }

  static void requireEqual(String operation, Matrix a, Matrix b) {
    if (a.precision() != b.precision()) {
      throw new IllegalArgumentException(
          operation + ": precisions " + a.precision() + " and " + b.precision());
    }
  }
}
