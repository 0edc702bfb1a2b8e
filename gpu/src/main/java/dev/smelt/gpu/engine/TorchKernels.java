package dev.smelt.gpu.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.torch.ScriptFunctions;
import dev.smelt.gpu.torch.TorchDevice;
import java.util.List;

/** Linear algebra on the device, through libtorch's LAPACK, MAGMA or cuSOLVER. */
final class TorchKernels implements MatrixKernels {

  private final NDManager scope;
  private final ScriptFunctions functions;

  TorchKernels(TorchDevice device) {
    this.scope = device.scope();
    this.functions = device.functions();
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
    public double[] toDoubles() {
      return array.toDoubleArray();
    }
  }

  private static NDArray array(Matrix matrix) {
    return ((TorchMatrix) matrix).array();
  }

  @Override
  public Matrix matrix(int rows, int cols, double[] rowMajor) {
    return new TorchMatrix(scope.create(rowMajor, new Shape(rows, cols)));
  }

  @Override
  public Matrix multiply(Matrix a, Matrix b) {
    return new TorchMatrix(array(a).matMul(array(b)));
  }

  @Override
  public Matrix transpose(Matrix a) {
    return new TorchMatrix(array(a).transpose());
  }

  @Override
  public Matrix subtract(Matrix a, Matrix b) {
    return new TorchMatrix(array(a).sub(array(b)));
  }

  @Override
  public Matrix scaleRows(Matrix a, double[] factors) {
    try (NDArray column = scope.create(factors, new Shape(factors.length, 1))) {
      return new TorchMatrix(array(a).mul(column));
    }
  }

  @Override
  public Matrix scaleColumns(Matrix a, double[] factors) {
    try (NDArray row = scope.create(factors, new Shape(1, factors.length))) {
      return new TorchMatrix(array(a).mul(row));
    }
  }

  @Override
  public Matrix leadingColumns(Matrix a, int count) {
    return new TorchMatrix(array(a).get(new NDIndex(":, :{}", count)));
  }

  @Override
  public double frobenius(Matrix a) {
    double norm = 0;
    for (double rowNorm : rowNorms(a)) {
      norm = Math.hypot(norm, rowNorm);
    }
    return norm;
  }

  /** Each row is divided by its largest magnitude, so that no square leaves the range of f64. */
  @Override
  public double[] rowNorms(Matrix a) {
    try (NDManager temporary = scope.newSubManager()) {
      NDArray x = array(a).abs();
      x.attach(temporary);
      NDArray largest = x.max(new int[] {1}, true);
      NDArray divisor = largest.add(largest.eq(0));
      return x.div(divisor).square().sum(new int[] {1}, true).sqrt().mul(largest).toDoubleArray();
    }
  }

  @Override
  public Eigen eigh(Matrix symmetric) {
    List<NDArray> parts = functions.callForTuple(scope, "eigh", array(symmetric));
    try (NDArray values = parts.get(0)) {
      return new Eigen(values.toDoubleArray(), new TorchMatrix(parts.get(1)));
    }
  }

  @Override
  public Svd svd(Matrix a) {
    List<NDArray> parts = functions.callForTuple(scope, "svd", array(a));
    try (NDArray values = parts.get(1)) {
      return new Svd(
          new TorchMatrix(parts.get(0)), values.toDoubleArray(), new TorchMatrix(parts.get(2)));
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
