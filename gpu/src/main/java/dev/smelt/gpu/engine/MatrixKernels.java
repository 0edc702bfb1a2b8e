package dev.smelt.gpu.engine;

/**
 * What an implementation of {@link LinearAlgebra} must do. Shapes have been checked and inputs are
 * finite; matrices come from the same implementation.
 */
interface MatrixKernels extends AutoCloseable {

  Matrix matrix(int rows, int cols, double[] rowMajor);

  Matrix multiply(Matrix a, Matrix b);

  Matrix transpose(Matrix a);

  Matrix subtract(Matrix a, Matrix b);

  Matrix scaleRows(Matrix a, double[] factors);

  Matrix scaleColumns(Matrix a, double[] factors);

  Matrix leadingColumns(Matrix a, int count);

  double frobenius(Matrix a);

  double[] rowNorms(Matrix a);

  Eigen eigh(Matrix symmetric);

  Svd svd(Matrix a);

  Qr qr(Matrix a);

  Matrix cholesky(Matrix spd);

  Matrix solve(Matrix a, Matrix b);

  Matrix solveLowerTransposed(Matrix lower, Matrix b);

  @Override
  void close();
}
