package dev.smelt.gpu.engine;

import java.util.Arrays;

/**
 * Linear algebra in plain Java, written to be read: the oracle for {@link TorchKernels}. All loops
 * are O(n³) over row-major arrays.
 */
final class ReferenceKernels implements MatrixKernels {

  /** A row-major matrix that nobody else writes to. */
  @SuppressWarnings("ArrayRecordComponent") // compared by no one
  record Dense(int rows, int cols, double[] values) implements Matrix {

    static Dense zeros(int rows, int cols) {
      return new Dense(rows, cols, new double[rows * cols]);
    }

    double at(int i, int j) {
      return values[i * cols + j];
    }

    void set(int i, int j, double value) {
      values[i * cols + j] = value;
    }

    Dense copy() {
      return new Dense(rows, cols, values.clone());
    }

    Dense transposed() {
      Dense t = zeros(cols, rows);
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < cols; j++) {
          t.set(j, i, at(i, j));
        }
      }
      return t;
    }

    @Override
    public double[] toDoubles() {
      return values.clone();
    }
  }

  @Override
  public Matrix matrix(int rows, int cols, double[] rowMajor) {
    return new Dense(rows, cols, rowMajor.clone());
  }

  @Override
  public Matrix multiply(Matrix left, Matrix right) {
    Dense a = (Dense) left;
    Dense b = (Dense) right;
    Dense c = Dense.zeros(a.rows(), b.cols());
    for (int i = 0; i < a.rows(); i++) {
      for (int k = 0; k < a.cols(); k++) {
        for (int j = 0; j < b.cols(); j++) {
          c.values()[i * b.cols() + j] += a.at(i, k) * b.at(k, j);
        }
      }
    }
    return c;
  }

  @Override
  public Matrix transpose(Matrix a) {
    return ((Dense) a).transposed();
  }

  @Override
  public Matrix subtract(Matrix left, Matrix right) {
    Dense c = ((Dense) left).copy();
    double[] b = ((Dense) right).values();
    for (int i = 0; i < b.length; i++) {
      c.values()[i] -= b[i];
    }
    return c;
  }

  @Override
  public Matrix scaleRows(Matrix a, double[] factors) {
    Dense c = ((Dense) a).copy();
    for (int i = 0; i < c.values().length; i++) {
      c.values()[i] *= factors[i / c.cols()];
    }
    return c;
  }

  @Override
  public Matrix scaleColumns(Matrix a, double[] factors) {
    Dense c = ((Dense) a).copy();
    for (int i = 0; i < c.values().length; i++) {
      c.values()[i] *= factors[i % c.cols()];
    }
    return c;
  }

  @Override
  public Matrix leadingColumns(Matrix matrix, int count) {
    Dense a = (Dense) matrix;
    Dense c = Dense.zeros(a.rows(), count);
    for (int i = 0; i < a.rows(); i++) {
      System.arraycopy(a.values(), i * a.cols(), c.values(), i * count, count);
    }
    return c;
  }

  @Override
  public double frobenius(Matrix a) {
    return Arrays.stream(rowNorms(a)).reduce(0, Math::hypot);
  }

  @Override
  public double[] rowNorms(Matrix matrix) {
    Dense a = (Dense) matrix;
    double[] norms = new double[a.rows()];
    for (int i = 0; i < a.values().length; i++) {
      norms[i / a.cols()] = Math.hypot(norms[i / a.cols()], a.values()[i]);
    }
    return norms;
  }

  @Override
  public Eigen eigh(Matrix symmetric) {
    return Jacobi.eigh((Dense) symmetric);
  }

  @Override
  public Svd svd(Matrix a) {
    return Jacobi.svd((Dense) a);
  }

  @Override
  public Qr qr(Matrix a) {
    return Triangular.qr((Dense) a);
  }

  @Override
  public Matrix cholesky(Matrix spd) {
    return Triangular.cholesky((Dense) spd);
  }

  @Override
  public Matrix solve(Matrix a, Matrix b) {
    return Triangular.solve((Dense) a, (Dense) b);
  }

  @Override
  public Matrix solveLowerTransposed(Matrix lower, Matrix b) {
    return Triangular.solveLowerTransposed((Dense) lower, (Dense) b);
  }

  @Override
  public void close() {
    // The garbage collector owns these matrices.
  }
}
