package dev.smelt.gpu.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.torch.ScriptFunctions;
import dev.smelt.gpu.torch.Tensors;
import java.util.List;

/** Linear algebra on the device, through libtorch's LAPACK, MAGMA or cuSOLVER. */
final class TorchKernels implements MatrixKernels {

  /** Rows of a Gram matrix computed at once: half of its products are saved by symmetry. */
  private static final int GRAM_ROWS = 256;

  /** Columns converted at once where a Gram matrix is wider than its operand. */
  private static final int GRAM_COLS = 2048;

  private final NDManager scope;
  private final ScriptFunctions functions;

  TorchKernels(NDManager scope, ScriptFunctions functions) {
    this.scope = scope;
    this.functions = functions;
  }

  private record TorchMatrix(NDArray array) implements Matrix {

    @Override
    public int rows() {
      return Math.toIntExact(array.getShape().get(0));
    }

    @Override
    public int cols() {
      return Math.toIntExact(array.getShape().get(1));
    }

    @Override
    public Precision precision() {
      return array.getDataType() == DataType.FLOAT32 ? Precision.F32 : Precision.F64;
    }

    @Override
    public double[] toDoubles() {
      if (precision() == Precision.F64) {
        return array.toDoubleArray();
      }
      float[] values = array.toFloatArray();
      double[] wide = new double[values.length];
      for (int i = 0; i < values.length; i++) {
        wide[i] = values[i];
      }
      return wide;
    }

    @Override
    public float[] toFloats() {
      return precision() == Precision.F32 ? array.toFloatArray() : Matrix.super.toFloats();
    }
  }

  /** Wᵀ [in, out] while weights are taken from it, and what each of them leaves to be made up. */
  private record TorchElimination(
      NDManager scope, ScriptFunctions functions, NDArray w, NDArray upper, NDArray errors)
      implements Elimination {

    @Override
    public double[] weights(int from, int to) {
      try (NDArray rows = w.get(new NDIndex().addSliceDim(from, to))) {
        return new TorchMatrix(rows).toDoubles();
      }
    }

    @Override
    public void remove(int from, int to, int end, double[] gone) {
      Operands.requireElements(to - from, Math.toIntExact(w.getShape().get(1)), gone.length);
      try (NDArray wide = Tensors.copy(scope, gone, new Shape(to - from, w.getShape().get(1)));
          NDArray mask = wide.toType(w.getDataType(), false);
          NDArray place = place(from, end)) {
        functions.call(scope, "eliminate", w, upper, errors, mask, place).close();
      }
    }

    @Override
    public void carry(int from, int to) {
      if (to < w.getShape().get(0)) {
        try (NDArray place = place(from, to)) {
          functions.call(scope, "carry", w, upper, errors, place).close();
        }
      }
    }

    private NDArray place(int from, int to) {
      return Tensors.copy(scope, new double[] {from, to}, new Shape(2));
    }

    @Override
    public Matrix weights() {
      return new TorchMatrix(w);
    }
  }

  private static NDArray array(Matrix matrix) {
    return ((TorchMatrix) matrix).array();
  }

  /** DJL gives results to the owner of the first operand, which may be another scope. */
  private Matrix own(NDArray result) {
    result.attach(scope);
    return new TorchMatrix(result);
  }

  private static DataType type(Precision precision) {
    return switch (precision) {
      case F32 -> DataType.FLOAT32;
      case F64 -> DataType.FLOAT64;
    };
  }

  @Override
  public MatrixKernels inner() {
    return new TorchKernels(scope.newSubManager(), functions);
  }

  @Override
  public void adopt(Matrix matrix) {
    array(matrix).attach(scope);
  }

  @Override
  public Matrix matrix(int rows, int cols, double[] rowMajor) {
    return own(Tensors.copy(scope, rowMajor, new Shape(rows, cols)));
  }

  @Override
  public Matrix zeros(int rows, int cols, Precision precision) {
    return own(scope.zeros(new Shape(rows, cols), type(precision)));
  }

  @Override
  public Matrix identity(int n, Precision precision) {
    return own(scope.eye(n, n, 0, type(precision)));
  }

  @Override
  public void setRows(Matrix target, int firstRow, double[] rowMajor) {
    try (NDArray chunk = Tensors.copy(scope, rowMajor, new Shape(rowMajor.length))) {
      setRows(target, firstRow, chunk);
    }
  }

  @Override
  public void setRows(Matrix target, int firstRow, float[] rowMajor) {
    try (NDArray chunk = Tensors.copy(scope, rowMajor, new Shape(rowMajor.length))) {
      setRows(target, firstRow, chunk);
    }
  }

  private static void setRows(Matrix target, int firstRow, NDArray chunk) {
    long rows = chunk.size() / target.cols();
    try (NDArray shaped = chunk.reshape(rows, target.cols())) {
      array(target).set(new NDIndex().addSliceDim(firstRow, firstRow + rows), shaped);
    }
  }

  @Override
  public Matrix convert(Matrix a, Precision precision) {
    return own(array(a).toType(type(precision), true));
  }

  @Override
  public Matrix multiply(Matrix a, Matrix b) {
    return own(array(a).matMul(array(b)));
  }

  @Override
  public Matrix multiplyLower(Matrix x, Matrix lower) {
    return own(functions.call(scope, "multiply_lower", array(x), array(lower)));
  }

  @Override
  public Matrix multiplyLowerTransposed(Matrix lower, Matrix x) {
    return own(functions.call(scope, "multiply_lower_transposed", array(lower), array(x)));
  }

  @Override
  public boolean roughIsFaster() {
    return scope.getDevice().isGpu() || Processor.multipliesBf16();
  }

  @Override
  public Matrix multiplyRoughly(Matrix a, Matrix b) {
    return own(functions.call(scope, "multiply_roughly", array(a), array(b)));
  }

  @Override
  public Matrix chebyshev(Matrix g, Matrix v, double edge, int degree, boolean rough) {
    try (NDArray factors = scope.create(new double[] {edge, degree, rough ? 1 : 0})) {
      return own(functions.call(scope, "chebyshev", array(g), array(v), factors));
    }
  }

  @Override
  public Matrix multiplyAdd(double alpha, Matrix a, Matrix b, double beta, Matrix c) {
    try (NDArray factors = scope.create(new double[] {alpha, beta})) {
      return own(functions.call(scope, "multiply_add", array(c), array(a), array(b), factors));
    }
  }

  @Override
  public Matrix gram(Matrix a, Precision precision) {
    int width = precision == a.precision() ? a.cols() : GRAM_COLS;
    Matrix total = zeros(a.rows(), a.rows(), precision);
    try (NDArray blocks = Tensors.ofInts(scope, new int[] {GRAM_ROWS, width}, 2);
        NDArray _ = functions.call(scope, "add_gram", array(total), array(a), blocks)) {
      return total;
    }
  }

  @Override
  public Matrix gramRoughly(Matrix a) {
    try (NDArray rows = Tensors.ofInts(scope, new int[] {GRAM_ROWS}, 1)) {
      return own(functions.call(scope, "gram_roughly", array(a), rows));
    }
  }

  @Override
  public Matrix transpose(Matrix a) {
    return own(array(a).transpose());
  }

  @Override
  public Matrix subtract(Matrix a, Matrix b) {
    return own(array(a).sub(array(b)));
  }

  @Override
  public Matrix scaleRows(Matrix a, double[] factors) {
    try (NDArray column = factors(a, factors, new Shape(factors.length, 1))) {
      return own(array(a).mul(column));
    }
  }

  @Override
  public Matrix scaleColumns(Matrix a, double[] factors) {
    try (NDArray row = factors(a, factors, new Shape(1, factors.length))) {
      return own(array(a).mul(row));
    }
  }

  private NDArray factors(Matrix a, double[] factors, Shape shape) {
    try (NDArray wide = Tensors.copy(scope, factors, shape)) {
      NDArray rounded = wide.toType(type(a.precision()), true);
      rounded.attach(scope);
      return rounded;
    }
  }

  @Override
  public Matrix leadingColumns(Matrix a, int count) {
    return own(array(a).get(new NDIndex(":, :{}", count)));
  }

  @Override
  public Matrix rows(Matrix a, int from, int to) {
    return own(array(a).get(new NDIndex().addSliceDim(from, to)));
  }

  @Override
  public Matrix reverse(Matrix a) {
    return new TorchMatrix(functions.call(scope, "reverse", array(a)));
  }

  @Override
  public Matrix refit(Matrix w, Matrix h, Matrix kept, int steps, double tolerance) {
    try (NDArray limits = Tensors.copy(scope, new double[] {steps, tolerance}, new Shape(2))) {
      return own(functions.call(scope, "refit", array(w), array(h), array(kept), limits));
    }
  }

  @Override
  public Elimination elimination(Matrix weights, Matrix upper) {
    NDArray changing = array(weights).duplicate();
    changing.attach(scope);
    return new TorchElimination(
        scope,
        functions,
        changing,
        array(upper),
        scope.zeros(changing.getShape(), type(weights.precision())));
  }

  @Override
  public double[] diagonal(Matrix a) {
    return vector(functions.call(scope, "diagonal", array(a)));
  }

  @Override
  public double frobenius(Matrix a) {
    double norm = 0;
    for (double rowNorm : rowNorms(a)) {
      norm = Math.hypot(norm, rowNorm);
    }
    return norm;
  }

  /**
   * Squares of f32 are in the range of f64; rows of f64 are divided by their largest magnitude
   * first.
   */
  @Override
  public double[] rowNorms(Matrix a) {
    String function = a.precision() == Precision.F32 ? "row_norms" : "row_norms_of_any_size";
    try (NDArray norms = functions.call(scope, function, array(a))) {
      return norms.toDoubleArray();
    }
  }

  @Override
  public Eigen eigh(Matrix symmetric) {
    List<NDArray> parts = functions.callForTuple(scope, "eigh", array(symmetric));
    return new Eigen(vector(parts.get(0)), new TorchMatrix(parts.get(1)));
  }

  @Override
  public double[] eigenvalues(Matrix symmetric) {
    return vector(functions.call(scope, "eigenvalues", array(symmetric)));
  }

  @Override
  public Svd svd(Matrix a) {
    List<NDArray> parts = functions.callForTuple(scope, "svd", array(a));
    return new Svd(
        new TorchMatrix(parts.get(0)), vector(parts.get(1)), new TorchMatrix(parts.get(2)));
  }

  /** Takes the values out of an array and closes it. */
  private static double[] vector(NDArray values) {
    try (values;
        NDArray wide = values.toType(DataType.FLOAT64, true)) {
      return wide.toDoubleArray();
    }
  }

  @Override
  public Qr qr(Matrix a) {
    List<NDArray> parts = functions.callForTuple(scope, "qr", array(a));
    return new Qr(new TorchMatrix(parts.get(0)), new TorchMatrix(parts.get(1)));
  }

  @Override
  public Matrix cholesky(Matrix spd) {
    List<NDArray> parts = functions.callForTuple(scope, "cholesky", array(spd));
    int failed = info(parts);
    if (failed != 0) {
      parts.get(0).close();
      throw new NotPositiveDefiniteException(failed, spd.rows());
    }
    return new TorchMatrix(parts.get(0));
  }

  @Override
  public Matrix solve(Matrix a, Matrix b) {
    List<NDArray> parts = functions.callForTuple(scope, "solve", array(a), array(b));
    int failed = info(parts);
    if (failed != 0) {
      throw new SingularMatrixException(failed, a.rows());
    }
    return new TorchMatrix(parts.get(0));
  }

  @Override
  public Matrix solveLower(Matrix lower, Matrix b) {
    return new TorchMatrix(functions.call(scope, "solve_lower", array(lower), array(b)));
  }

  @Override
  public Matrix solveLowerTransposed(Matrix lower, Matrix b) {
    return new TorchMatrix(functions.call(scope, "solve_lower_transposed", array(lower), array(b)));
  }

  /** LAPACK's info, the second of {@code parts}: 0, or the place of the failure from 1. */
  private static int info(List<NDArray> parts) {
    try (NDArray info = parts.get(1)) {
      return info.toIntArray()[0];
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
