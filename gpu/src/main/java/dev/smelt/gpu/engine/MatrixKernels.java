package dev.smelt.gpu.engine;

/**
 * What an implementation of {@link LinearAlgebra} must do. Shapes and precisions have been checked
 * and inputs are finite; matrices come from the same implementation. Results have the precision of
 * the operands unless said otherwise.
 */
interface MatrixKernels extends AutoCloseable {

  /** Kernels whose matrices die with them, over the matrices of this one too. */
  MatrixKernels inner();

  /** Lets a matrix live as long as these kernels, whichever inner ones it was made by. */
  void adopt(Matrix matrix);

  Matrix matrix(int rows, int cols, double[] rowMajor);

  /** Of zeros. */
  Matrix zeros(int rows, int cols, Precision precision);

  Matrix identity(int n, Precision precision);

  /** Sets rows of an F64 matrix, from {@code firstRow} on. */
  void setRows(Matrix target, int firstRow, double[] rowMajor);

  /** Sets rows of an F32 matrix, from {@code firstRow} on. */
  void setRows(Matrix target, int firstRow, float[] rowMajor);

  /** Another precision than it has. */
  Matrix convert(Matrix a, Precision precision);

  Matrix multiply(Matrix a, Matrix b);

  /** X L for a lower triangular L. */
  Matrix multiplyLower(Matrix x, Matrix lower);

  /** Lᵀ X for a lower triangular L. */
  Matrix multiplyLowerTransposed(Matrix lower, Matrix x);

  /** Whether the operations that may be rough are faster than exact ones. */
  boolean roughIsFaster();

  /** AB of F32 matrices, which may be rounded to 8 bits on the way. */
  Matrix multiplyRoughly(Matrix a, Matrix b);

  /**
   * T_d((2G − b)/b) V for the Chebyshev polynomial of degree d ≥ 1.
   *
   * @param edge b
   * @param rough whether F32 matrices may be rounded to 8 bits on the way
   */
  Matrix chebyshev(Matrix g, Matrix v, double edge, int degree, boolean rough);

  /** αAB + βC. */
  Matrix multiplyAdd(double alpha, Matrix a, Matrix b, double beta, Matrix c);

  Matrix gram(Matrix a, Precision precision);

  /** A Aᵀ of an F32 matrix, which may be rounded to 8 bits on the way. */
  Matrix gramRoughly(Matrix a);

  Matrix transpose(Matrix a);

  Matrix subtract(Matrix a, Matrix b);

  Matrix scaleRows(Matrix a, double[] factors);

  Matrix scaleColumns(Matrix a, double[] factors);

  Matrix leadingColumns(Matrix a, int count);

  /** Rows and columns from the last to the first. */
  Matrix reverse(Matrix a);

  /** As {@link LinearAlgebra#refit}. */
  Matrix refit(Matrix w, Matrix h, Matrix kept, int steps, double tolerance);

  /** As {@link LinearAlgebra#elimination}. */
  Elimination elimination(Matrix weights, Matrix upper);

  /** Rows {@code from … to − 1}. */
  Matrix rows(Matrix a, int from, int to);

  /** A square one's. */
  double[] diagonal(Matrix a);

  double frobenius(Matrix a);

  double[] rowNorms(Matrix a);

  Eigen eigh(Matrix symmetric);

  /** As those of {@link #eigh}. */
  double[] eigenvalues(Matrix symmetric);

  Svd svd(Matrix a);

  Qr qr(Matrix a);

  Matrix cholesky(Matrix spd);

  Matrix solve(Matrix a, Matrix b);

  Matrix solveLower(Matrix lower, Matrix b);

  Matrix solveLowerTransposed(Matrix lower, Matrix b);

  @Override
  void close();
}
