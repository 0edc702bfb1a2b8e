package dev.smelt.gpu.engine;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;

/**
 * A workspace of dense f64 linear algebra. Closing it frees every matrix made in it, so open one
 * per job.
 *
 * <p>Shapes are checked here, once, for every implementation. A matrix of the wrong shape is a
 * mistake of the caller and gives an {@link IllegalArgumentException} with both numbers.
 */
public final class LinearAlgebra implements AutoCloseable {

  /** Above it the bytes of a matrix overflow the int that the engine's buffers are sized with. */
  private static final int MAX_ELEMENTS = Integer.MAX_VALUE / Double.BYTES;

  private final MatrixKernels kernels;

  LinearAlgebra(MatrixKernels kernels) {
    this.kernels = kernels;
  }

  /** Plain Java, slow, without native code: the oracle of the tests. */
  public static LinearAlgebra reference() {
    return new LinearAlgebra(new ReferenceKernels());
  }

  /**
   * Copies {@code rowMajor} to the device.
   *
   * @throws NonFiniteException at the first NaN or infinity: no decomposition survives one
   * @throws LimitException when it has more than 2²⁸ − 1 elements
   */
  public Matrix matrix(int rows, int cols, double[] rowMajor) {
    requireElements(rows, cols, rowMajor.length);
    for (int i = 0; i < rowMajor.length; i++) {
      requireFinite(rowMajor[i], i, cols);
    }
    return kernels.matrix(rows, cols, rowMajor);
  }

  /** As {@link #matrix(int, int, double[])}, widening exactly. */
  public Matrix matrix(int rows, int cols, float[] rowMajor) {
    requireElements(rows, cols, rowMajor.length);
    double[] wide = new double[rowMajor.length];
    for (int i = 0; i < wide.length; i++) {
      requireFinite(rowMajor[i], i, cols);
      wide[i] = rowMajor[i];
    }
    return kernels.matrix(rows, cols, wide);
  }

  /** A Aᵀ, m×m; symmetric up to rounding. */
  public Matrix gram(Matrix a) {
    return kernels.multiply(a, kernels.transpose(a));
  }

  /** A B, m×n for A m×k and B k×n. */
  public Matrix multiply(Matrix a, Matrix b) {
    requireEqual("multiply: columns of A against rows of B", a.cols(), b.rows());
    return kernels.multiply(a, b);
  }

  /** Aᵀ. */
  public Matrix transpose(Matrix a) {
    return kernels.transpose(a);
  }

  /** A − B. */
  public Matrix subtract(Matrix a, Matrix b) {
    requireEqual("subtract: rows of A against rows of B", a.rows(), b.rows());
    requireEqual("subtract: columns of A against columns of B", a.cols(), b.cols());
    return kernels.subtract(a, b);
  }

  /** diag(f) A. */
  public Matrix scaleRows(Matrix a, double[] factors) {
    requireEqual("scaleRows: rows of A against factors", a.rows(), factors.length);
    return kernels.scaleRows(a, factors);
  }

  /** A diag(f). */
  public Matrix scaleColumns(Matrix a, double[] factors) {
    requireEqual("scaleColumns: columns of A against factors", a.cols(), factors.length);
    return kernels.scaleColumns(a, factors);
  }

  /** The first {@code count} columns, 1 ≤ count ≤ n. */
  public Matrix leadingColumns(Matrix a, int count) {
    if (count < 1 || count > a.cols()) {
      throw new IllegalArgumentException(
          "leadingColumns: expected 1 to " + a.cols() + " columns, found " + count);
    }
    return kernels.leadingColumns(a, count);
  }

  /** ‖A‖ = √Σ aᵢⱼ², without overflow or underflow of the squares. */
  public double frobenius(Matrix a) {
    return kernels.frobenius(a);
  }

  /** √Σⱼ aᵢⱼ² for every row i. */
  public double[] rowNorms(Matrix a) {
    return kernels.rowNorms(a);
  }

  /** Decomposes a symmetric matrix; only its lower triangle is read. */
  public Eigen eigh(Matrix symmetric) {
    requireSquare("eigh", symmetric);
    return kernels.eigh(symmetric);
  }

  /** Thin SVD by divide and conquer (LAPACK gesdd on the CPU). */
  public Svd svd(Matrix a) {
    return kernels.svd(a);
  }

  /** Thin QR by Householder reflections. */
  public Qr qr(Matrix a) {
    return kernels.qr(a);
  }

  /**
   * L, lower triangular, with L Lᵀ = A; only the lower triangle of A is read.
   *
   * @throws NotPositiveDefiniteException when there is none
   */
  public Matrix cholesky(Matrix spd) {
    requireSquare("cholesky", spd);
    return kernels.cholesky(spd);
  }

  /**
   * X with A X = B, by LU with partial pivoting; A n×n, B n×k.
   *
   * @throws SingularMatrixException when a pivot is exactly zero
   */
  public Matrix solve(Matrix a, Matrix b) {
    requireSquare("solve", a);
    requireEqual("solve: rows of A against rows of B", a.rows(), b.rows());
    return kernels.solve(a, b);
  }

  /** X with Lᵀ X = B; L lower triangular n×n with a diagonal without zeros, B n×k. */
  public Matrix solveLowerTransposed(Matrix lower, Matrix b) {
    requireSquare("solveLowerTransposed", lower);
    requireEqual("solveLowerTransposed: rows of L against rows of B", lower.rows(), b.rows());
    return kernels.solveLowerTransposed(lower, b);
  }

  @Override
  public void close() {
    kernels.close();
  }

  private static void requireElements(int rows, int cols, int found) {
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

  private static void requireFinite(double value, int index, int cols) {
    if (!Double.isFinite(value)) {
      throw new NonFiniteException(
          "matrix value is not finite",
          "row " + index / cols + ", column " + index % cols,
          "is " + value,
          "repair the tensor it came from");
    }
  }

  private static void requireSquare(String operation, Matrix a) {
    requireEqual(operation + ": rows against columns", a.rows(), a.cols());
  }

  private static void requireEqual(String what, int expected, int found) {
    if (expected != found) {
      throw new IllegalArgumentException(what + ": " + expected + " and " + found);
    }
  }
}
