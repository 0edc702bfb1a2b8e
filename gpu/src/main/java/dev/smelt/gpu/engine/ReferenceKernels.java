package dev.smelt.gpu.engine;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Linear algebra in plain Java, written to be read: the oracle for {@link TorchKernels}. All loops
 * are O(n³) over row-major arrays. Every operation works in f64 and rounds its result once to the
 * precision it has.
 */
final class ReferenceKernels implements MatrixKernels {

  /** A row-major matrix that nobody else writes to. */
  @SuppressWarnings("ArrayRecordComponent") // compared by no one
  record Dense(int rows, int cols, double[] values, Precision precision) implements Matrix {

    static Dense zeros(int rows, int cols) {
      return new Dense(rows, cols, new double[rows * cols], Precision.F64);
    }

    /** Rounds in place. */
    Dense as(Precision wanted) {
      for (int i = 0; wanted == Precision.F32 && i < values.length; i++) {
        values[i] = (float) values[i];
      }
      return new Dense(rows, cols, values, wanted);
    }

    double at(int i, int j) {
      return values[i * cols + j];
    }

    void set(int i, int j, double value) {
      values[i * cols + j] = value;
    }

    Dense copy() {
      return new Dense(rows, cols, values.clone(), precision);
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
    return new Dense(rows, cols, rowMajor.clone(), Precision.F64);
  }

  @Override
  public MatrixKernels inner() {
    return new ReferenceKernels();
  }

  @Override
  public void adopt(Matrix matrix) {
    // The garbage collector owns these matrices.
  }

  @Override
  public Matrix zeros(int rows, int cols, Precision precision) {
    return Dense.zeros(rows, cols).as(precision);
  }

  @Override
  public Matrix identity(int n, Precision precision) {
    Dense identity = Dense.zeros(n, n);
    for (int i = 0; i < n; i++) {
      identity.set(i, i, 1);
    }
    return identity.as(precision);
  }

  @Override
  public void setRows(Matrix target, int firstRow, double[] rowMajor) {
    double[] values = ((Dense) target).values();
    System.arraycopy(rowMajor, 0, values, firstRow * target.cols(), rowMajor.length);
  }

  @Override
  public void setRows(Matrix target, int firstRow, float[] rowMajor) {
    double[] values = ((Dense) target).values();
    for (int i = 0; i < rowMajor.length; i++) {
      values[firstRow * target.cols() + i] = rowMajor[i];
    }
  }

  @Override
  public Matrix convert(Matrix a, Precision precision) {
    return ((Dense) a).copy().as(precision);
  }

  @Override
  public Matrix multiply(Matrix left, Matrix right) {
    return product((Dense) left, (Dense) right).as(left.precision());
  }

  @Override
  public Matrix multiplyLower(Matrix x, Matrix lower) {
    return multiply(x, lower);
  }

  @Override
  public Matrix multiplyLowerTransposed(Matrix lower, Matrix x) {
    return multiply(transpose(lower), x);
  }

  @Override
  public boolean roughIsFaster() {
    return false;
  }

  @Override
  public Matrix gramRoughly(Matrix a) {
    return gram(a, a.precision());
  }

  @Override
  public Matrix multiplyRoughly(Matrix a, Matrix b) {
    return multiply(a, b);
  }

  @Override
  public Matrix chebyshev(Matrix g, Matrix v, double edge, int degree, boolean rough) {
    Matrix before = v;
    Matrix now = multiplyAdd(2 / edge, g, v, -1, v);
    for (int i = 1; i < degree; i++) {
      Matrix next = subtract(multiplyAdd(4 / edge, g, now, -2, now), before);
      before = now;
      now = next;
    }
    return now;
  }

  @Override
  public Matrix multiplyAdd(double alpha, Matrix left, Matrix right, double beta, Matrix add) {
    Dense sum = product((Dense) left, (Dense) right);
    for (int i = 0; i < sum.values().length; i++) {
      sum.values()[i] = alpha * sum.values()[i] + beta * ((Dense) add).values()[i];
    }
    return sum.as(left.precision());
  }

  @Override
  public Matrix gram(Matrix a, Precision precision) {
    return product((Dense) a, ((Dense) a).transposed()).as(precision);
  }

  private static Dense product(Dense a, Dense b) {
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
    return ((Dense) a).transposed().as(a.precision());
  }

  @Override
  public Matrix subtract(Matrix left, Matrix right) {
    Dense c = ((Dense) left).copy();
    double[] b = ((Dense) right).values();
    for (int i = 0; i < b.length; i++) {
      c.values()[i] -= b[i];
    }
    return c.as(left.precision());
  }

  @Override
  public Matrix scaleRows(Matrix a, double[] factors) {
    Dense c = ((Dense) a).copy();
    for (int i = 0; i < c.values().length; i++) {
      c.values()[i] *= factors[i / c.cols()];
    }
    return c.as(a.precision());
  }

  @Override
  public Matrix scaleColumns(Matrix a, double[] factors) {
    Dense c = ((Dense) a).copy();
    for (int i = 0; i < c.values().length; i++) {
      c.values()[i] *= factors[i % c.cols()];
    }
    return c.as(a.precision());
  }

  @Override
  public Matrix leadingColumns(Matrix matrix, int count) {
    Dense a = (Dense) matrix;
    Dense c = Dense.zeros(a.rows(), count);
    for (int i = 0; i < a.rows(); i++) {
      System.arraycopy(a.values(), i * a.cols(), c.values(), i * count, count);
    }
    return c.as(a.precision());
  }

  @Override
  public Matrix rows(Matrix a, int from, int to) {
    double[] values = Arrays.copyOfRange(((Dense) a).values(), from * a.cols(), to * a.cols());
    return new Dense(to - from, a.cols(), values, a.precision());
  }

  @Override
  public double frobenius(Matrix a) {
    return Arrays.stream(rowNorms(a)).reduce(0, Math::hypot);
  }

  @Override
  public Matrix reverse(Matrix matrix) {
    Dense a = (Dense) matrix;
    Dense reversed = Dense.zeros(a.rows(), a.cols());
    for (int i = 0; i < a.rows(); i++) {
      for (int j = 0; j < a.cols(); j++) {
        reversed.set(a.rows() - 1 - i, a.cols() - 1 - j, a.at(i, j));
      }
    }
    return reversed.as(a.precision());
  }

  /** Exactly, by elimination: X_R H_RR = (W H)_R for the inputs R that a row keeps. */
  @Override
  public Matrix refit(Matrix weights, Matrix metric, Matrix mask, int steps, double tolerance) {
    Dense w = (Dense) weights;
    Dense h = (Dense) metric;
    Dense kept = (Dense) mask;
    Dense x = Dense.zeros(w.rows(), w.cols());
    for (int row = 0; row < w.rows(); row++) {
      int at = row;
      int[] stays =
          IntStream.range(0, w.cols()).filter(column -> kept.at(at, column) != 0).toArray();
      if (stays.length == 0) {
        continue;
      }
      Dense part = Dense.zeros(stays.length, stays.length);
      Dense right = Dense.zeros(stays.length, 1);
      for (int i = 0; i < stays.length; i++) {
        for (int j = 0; j < stays.length; j++) {
          part.set(i, j, h.at(stays[i], stays[j]));
        }
        for (int k = 0; k < w.cols(); k++) {
          right.set(i, 0, right.at(i, 0) + w.at(row, k) * h.at(k, stays[i]));
        }
      }
      Dense solved = Triangular.solve(part, right);
      for (int i = 0; i < stays.length; i++) {
        x.set(row, stays[i], solved.at(i, 0));
      }
    }
    return x.as(w.precision());
  }

  @Override
  public Elimination elimination(Matrix weights, Matrix upper) {
    return new ReferenceElimination((Dense) weights, (Dense) upper);
  }

  @Override
  public double[] diagonal(Matrix matrix) {
    Dense a = (Dense) matrix;
    double[] diagonal = new double[a.rows()];
    Arrays.setAll(diagonal, i -> a.values()[i * a.cols() + i]);
    return diagonal;
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
    Eigen eigen = Jacobi.eigh((Dense) symmetric);
    return new Eigen(eigen.values(), rounded(eigen.vectors(), symmetric));
  }

  @Override
  public double[] eigenvalues(Matrix symmetric) {
    return eigh(symmetric).values();
  }

  @Override
  public Svd svd(Matrix a) {
    Svd svd = Jacobi.svd((Dense) a);
    return new Svd(rounded(svd.u(), a), svd.s(), rounded(svd.vt(), a));
  }

  @Override
  public Qr qr(Matrix a) {
    Qr qr = Triangular.qr((Dense) a);
    return new Qr(rounded(qr.q(), a), rounded(qr.r(), a));
  }

  @Override
  public Matrix cholesky(Matrix spd) {
    return rounded(Triangular.cholesky((Dense) spd), spd);
  }

  @Override
  public Matrix solve(Matrix a, Matrix b) {
    return rounded(Triangular.solve((Dense) a, (Dense) b), a);
  }

  @Override
  public Matrix solveLower(Matrix lower, Matrix b) {
    return rounded(Triangular.solveLower((Dense) lower, (Dense) b), b);
  }

  @Override
  public Matrix solveLowerTransposed(Matrix lower, Matrix b) {
    return rounded(Triangular.solveLowerTransposed((Dense) lower, (Dense) b), b);
  }

  private static Matrix rounded(Matrix result, Matrix operand) {
    return ((Dense) result).as(operand.precision());
  }

  @Override
  public void close() {
    // The garbage collector owns these matrices.
  }
}
