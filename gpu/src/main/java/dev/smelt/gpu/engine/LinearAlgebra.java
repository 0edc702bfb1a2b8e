package dev.smelt.gpu.engine;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;

/**
 * A workspace of dense linear algebra in f32 and f64. Closing it frees every matrix made in it, so
 * open one per job, and an {@link #inner} one for what is needed only for a while.
 *
 * <p>Shapes and precisions are checked here, once, for every implementation: operands must have one
 * precision, which is the result's. A matrix that does not fit is a mistake of the caller and gives
 * an {@link IllegalArgumentException} with both sizes.
 */
public final class LinearAlgebra implements AutoCloseable {

  private final MatrixKernels kernels;
  private final MatrixFiller filler;

  LinearAlgebra(MatrixKernels kernels) {
    this.kernels = kernels;
    this.filler = new MatrixFiller(kernels);
  }

  /** Plain Java, slow, without native code: the oracle of the tests. */
  public static LinearAlgebra reference() {
    return new LinearAlgebra(new ReferenceKernels());
  }

  /**
   * A workspace for intermediate results. It may use the matrices of this one, and closing it frees
   * its own, but for those handed to {@link #keep}.
   */
  public LinearAlgebra inner() {
    return new LinearAlgebra(kernels.inner());
  }

  /** Lets a matrix made in an inner workspace live as long as this one. */
  public Matrix keep(Matrix matrix) {
    kernels.adopt(matrix);
    return matrix;
  }

  /**
   * Decodes a stored matrix, a few rows at a time. F32 rounds what is stored as f64.
   *
   * @param view of two dimensions
   * @param transposed gives the transpose of what is stored
   * @throws NonFiniteException at the first NaN or infinity
   */
  public Matrix load(TensorView view, Precision precision, boolean transposed) {
    Matrix matrix = filler.load(view, precision);
    return transposed ? kernels.transpose(matrix) : matrix;
  }

  /**
   * αA + βI in f64 for a stored A, n×n, with no second matrix in memory.
   *
   * @throws NonFiniteException at the first NaN or infinity
   */
  public Matrix loadShifted(TensorView view, double alpha, double beta) {
    return filler.loadShifted(view, alpha, beta);
  }

  /**
   * A stored A, n×n, in f64 with elements off its diagonal fewer in weight: σ·aᵢᵢ + β on the
   * diagonal, σα·aᵢⱼ off it.
   *
   * @param scale σ
   * @param offDiagonal α
   * @param shift β
   * @throws NonFiniteException at the first NaN or infinity
   */
  public Matrix loadGram(TensorView view, double scale, double offDiagonal, double shift) {
    return filler.loadGram(view, scale, offDiagonal, shift);
  }

  /** I, n×n. */
  public Matrix identity(int n, Precision precision) {
    return kernels.identity(n, precision);
  }

  /** Independent signs, +1 or −1, always the same for one seed. */
  public Matrix signs(int rows, int cols, long seed, Precision precision) {
    return filler.signs(rows, cols, seed, precision);
  }

  /** The same values in another precision; the matrix itself where it has that precision. */
  public Matrix convert(Matrix a, Precision precision) {
    return a.precision() == precision ? a : kernels.convert(a, precision);
  }

  /**
   * Copies {@code rowMajor} to the device, as f64.
   *
   * @throws NonFiniteException at the first NaN or infinity: no decomposition survives one
   * @throws LimitException when it has more than 2²⁸ − 1 elements
   */
  public Matrix matrix(int rows, int cols, double[] rowMajor) {
    Operands.requireElements(rows, cols, rowMajor.length);
    for (int i = 0; i < rowMajor.length; i++) {
      Operands.requireFinite("matrix", rowMajor[i], i, 0, cols);
    }
    return kernels.matrix(rows, cols, rowMajor);
  }

  /** As {@link #matrix(int, int, double[])}, widening exactly. */
  public Matrix matrix(int rows, int cols, float[] rowMajor) {
    Operands.requireElements(rows, cols, rowMajor.length);
    double[] wide = new double[rowMajor.length];
    for (int i = 0; i < wide.length; i++) {
      Operands.requireFinite("matrix", rowMajor[i], i, 0, cols);
      wide[i] = rowMajor[i];
    }
    return kernels.matrix(rows, cols, wide);
  }

  /** A Aᵀ, m×m, symmetric. */
  public Matrix gram(Matrix a) {
    return gram(a, a.precision());
  }

  /** A Aᵀ, m×m, symmetric, with products and sums in {@code precision}. */
  public Matrix gram(Matrix a, Precision precision) {
    return kernels.gram(a, precision);
  }

  /** As {@link #gram(Matrix)}; F32 operands and the result may be rounded to bf16. */
  public Matrix gramRoughly(Matrix a) {
    return a.precision() == Precision.F32 && kernels.roughIsFaster()
        ? kernels.gramRoughly(a)
        : gram(a);
  }

  /** A B, m×n for A m×k and B k×n. */
  public Matrix multiply(Matrix a, Matrix b) {
    Operands.requireEqual("multiply: columns of A against rows of B", a.cols(), b.rows());
    Operands.requireEqual("multiply", a, b);
    return kernels.multiply(a, b);
  }

  /** X L, m×n, for X m×n and L n×n, lower triangular with zeros above; half of a full product. */
  public Matrix multiplyLower(Matrix x, Matrix lower) {
    Operands.requireSquare("multiplyLower", lower);
    Operands.requireEqual("multiplyLower: columns of X against rows of L", x.cols(), lower.rows());
    Operands.requireEqual("multiplyLower", x, lower);
    return kernels.multiplyLower(x, lower);
  }

  /** Lᵀ X, m×n, for X m×n and L m×m, lower triangular with zeros above; half of a full product. */
  public Matrix multiplyLowerTransposed(Matrix lower, Matrix x) {
    Operands.requireSquare("multiplyLowerTransposed", lower);
    Operands.requireEqual(
        "multiplyLowerTransposed: rows of L against rows of X", lower.rows(), x.rows());
    Operands.requireEqual("multiplyLowerTransposed", lower, x);
    return kernels.multiplyLowerTransposed(lower, x);
  }

  /** Whether rough products are faster on this device than those of f32. */
  public boolean roughIsFaster() {
    return kernels.roughIsFaster();
  }

  /** AB, as {@link #multiply}; F32 operands and the result may be rounded to bf16. */
  public Matrix multiplyRoughly(Matrix a, Matrix b) {
    Operands.requireEqual("multiplyRoughly: columns of A against rows of B", a.cols(), b.rows());
    Operands.requireEqual("multiplyRoughly", a, b);
    return a.precision() == Precision.F32 && kernels.roughIsFaster()
        ? kernels.multiplyRoughly(a, b)
        : kernels.multiply(a, b);
  }

  /**
   * T_d((2G − b)/b) V, n×l, with the Chebyshev polynomial T_d: eigenvectors of G with eigenvalues
   * in [0, b] are multiplied by at most 1, those above by more.
   *
   * @param g G, n×n, symmetric
   * @param v V, n×l
   * @param edge b > 0
   * @param degree d ≥ 1
   * @param rough whether F32 products may be taken of values rounded to bf16, where that is faster
   */
  public Matrix chebyshev(Matrix g, Matrix v, double edge, int degree, boolean rough) {
    Operands.requireSquare("chebyshev", g);
    Operands.requireEqual("chebyshev: columns of G against rows of V", g.cols(), v.rows());
    Operands.requireEqual("chebyshev", g, v);
    if (!(edge > 0) || degree < 1) {
      throw new IllegalArgumentException("chebyshev: edge " + edge + ", degree " + degree);
    }
    boolean roughly = rough && g.precision() == Precision.F32 && kernels.roughIsFaster();
    return kernels.chebyshev(g, v, edge, degree, roughly);
  }

  /** αAB + βC, m×n for A m×k, B k×n and C m×n. */
  public Matrix multiplyAdd(double alpha, Matrix a, Matrix b, double beta, Matrix c) {
    Operands.requireEqual("multiplyAdd: columns of A against rows of B", a.cols(), b.rows());
    Operands.requireEqual("multiplyAdd: rows of A against rows of C", a.rows(), c.rows());
    Operands.requireEqual("multiplyAdd: columns of B against columns of C", b.cols(), c.cols());
    Operands.requireEqual("multiplyAdd", a, b);
    Operands.requireEqual("multiplyAdd", a, c);
    return kernels.multiplyAdd(alpha, a, b, beta, c);
  }

  /** Aᵀ. */
  public Matrix transpose(Matrix a) {
    return kernels.transpose(a);
  }

  /** A − B. */
  public Matrix subtract(Matrix a, Matrix b) {
    Operands.requireEqual("subtract: rows of A against rows of B", a.rows(), b.rows());
    Operands.requireEqual("subtract: columns of A against columns of B", a.cols(), b.cols());
    Operands.requireEqual("subtract", a, b);
    return kernels.subtract(a, b);
  }

  /** diag(f) A. */
  public Matrix scaleRows(Matrix a, double[] factors) {
    Operands.requireEqual("scaleRows: rows of A against factors", a.rows(), factors.length);
    return kernels.scaleRows(a, factors);
  }

  /** A diag(f). */
  public Matrix scaleColumns(Matrix a, double[] factors) {
    Operands.requireEqual("scaleColumns: columns of A against factors", a.cols(), factors.length);
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

  /** Rows {@code from … to − 1}, at least one. */
  public Matrix rows(Matrix a, int from, int to) {
    if (from < 0 || to <= from || to > a.rows()) {
      throw new IllegalArgumentException(
          "rows: expected a range in 0 to " + a.rows() + ", found " + from + " to " + to);
    }
    return kernels.rows(a, from, to);
  }

  /** Rows and columns from the last to the first: of a lower triangular matrix an upper one. */
  public Matrix reverse(Matrix a) {
    return kernels.reverse(a);
  }

  /**
   * The X that is zero where it must be and closest to W, tr((X − W) H (X − W)ᵀ), row by row, by
   * conjugate gradients with the diagonal of H as preconditioner. They begin with W itself where it
   * may stay, and never get worse.
   *
   * @param w W, m×n
   * @param h H, n×n, symmetric and positive definite
   * @param kept m×n, 1 where X may be other than zero and 0 elsewhere
   * @param steps how many at most
   * @param tolerance of the residual, relative to the first one
   */
  public Matrix refit(Matrix w, Matrix h, Matrix kept, int steps, double tolerance) {
    Operands.requireSquare("refit", h);
    Operands.requireEqual("refit: columns of W against rows of H", w.cols(), h.rows());
    Operands.requireEqual("refit: rows of W against rows of the mask", w.rows(), kept.rows());
    Operands.requireEqual("refit: columns of W against those of the mask", w.cols(), kept.cols());
    Operands.requireEqual("refit", w, h);
    Operands.requireEqual("refit", w, kept);
    return kernels.refit(w, h, kept, steps, tolerance);
  }

  /**
   * Begins to take weights from a layer, input after input.
   *
   * @param weights Wᵀ, in×out, which stays as it is
   * @param upper U, in×in, upper triangular, with UᵀU = H⁻¹
   */
  public Elimination elimination(Matrix weights, Matrix upper) {
    Operands.requireSquare("elimination", upper);
    Operands.requireEqual("elimination: rows of Wᵀ against U", weights.rows(), upper.rows());
    Operands.requireEqual("elimination", weights, upper);
    return kernels.elimination(weights, upper);
  }

  /** a₁₁ … aₙₙ of a square matrix. */
  public double[] diagonal(Matrix a) {
    Operands.requireSquare("diagonal", a);
    return kernels.diagonal(a);
  }

  /** ‖A‖ = √Σ aᵢⱼ², summed in f64 without overflow or underflow of the squares. */
  public double frobenius(Matrix a) {
    return kernels.frobenius(a);
  }

  /** √Σⱼ aᵢⱼ² for every row i, summed in f64. */
  public double[] rowNorms(Matrix a) {
    return kernels.rowNorms(a);
  }

  /** Decomposes a symmetric matrix; only its lower triangle is read. */
  public Eigen eigh(Matrix symmetric) {
    Operands.requireSquare("eigh", symmetric);
    return kernels.eigh(symmetric);
  }

  /** Eigenvalues alone, falling, several times as fast; only the lower triangle is read. */
  public double[] eigenvalues(Matrix symmetric) {
    Operands.requireSquare("eigenvalues", symmetric);
    return kernels.eigenvalues(symmetric);
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
    Operands.requireSquare("cholesky", spd);
    return kernels.cholesky(spd);
  }

  /**
   * X with A X = B, by LU with partial pivoting; A n×n, B n×k.
   *
   * @throws SingularMatrixException when a pivot is exactly zero
   */
  public Matrix solve(Matrix a, Matrix b) {
    Operands.requireSquare("solve", a);
    Operands.requireEqual("solve: rows of A against rows of B", a.rows(), b.rows());
    Operands.requireEqual("solve", a, b);
    return kernels.solve(a, b);
  }

  /** X with L X = B; L lower triangular n×n with a diagonal without zeros, B n×k. */
  public Matrix solveLower(Matrix lower, Matrix b) {
    Operands.requireSquare("solveLower", lower);
    Operands.requireEqual("solveLower: rows of L against rows of B", lower.rows(), b.rows());
    Operands.requireEqual("solveLower", lower, b);
    return kernels.solveLower(lower, b);
  }

  /** X with Lᵀ X = B; L lower triangular n×n with a diagonal without zeros, B n×k. */
  public Matrix solveLowerTransposed(Matrix lower, Matrix b) {
    Operands.requireSquare("solveLowerTransposed", lower);
    Operands.requireEqual(
        "solveLowerTransposed: rows of L against rows of B", lower.rows(), b.rows());
    Operands.requireEqual("solveLowerTransposed", lower, b);
    return kernels.solveLowerTransposed(lower, b);
  }

  @Override
  public void close() {
    kernels.close();
  }
}
