package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;

/**
 * A root of a positive definite matrix H = C Cᵀ that weights one side of W: L = Cᵀ on the left, R =
 * C on the right, so that ‖L X R‖² = tr(H_R Xᵀ H_L X).
 */
public sealed interface Weight {

  Weight NONE = new Identity();

  /** Cᵀ X. */
  Matrix left(LinearAlgebra algebra, Matrix x);

  /** X C. */
  Matrix right(LinearAlgebra algebra, Matrix x);

  /** C⁻ᵀ X. */
  Matrix undoLeft(LinearAlgebra algebra, Matrix x);

  /** X C⁻¹. */
  Matrix undoRight(LinearAlgebra algebra, Matrix x);

  /** tr(H)/n, by how much a weight enlarges the square of noise; n is {@code size}. */
  double meanSquare(LinearAlgebra algebra, int size);

  /** H = I. */
  record Identity() implements Weight {
    @Override
    public Matrix left(LinearAlgebra algebra, Matrix x) {
      return x;
    }

    @Override
    public Matrix right(LinearAlgebra algebra, Matrix x) {
      return x;
    }

    @Override
    public Matrix undoLeft(LinearAlgebra algebra, Matrix x) {
      return x;
    }

    @Override
    public Matrix undoRight(LinearAlgebra algebra, Matrix x) {
      return x;
    }

    @Override
    public double meanSquare(LinearAlgebra algebra, int size) {
      return 1;
    }
  }

  /**
   * H = root² I, which matters only beside other weights.
   *
   * @param root positive
   */
  record Scaled(double root) implements Weight {
    @Override
    public Matrix left(LinearAlgebra algebra, Matrix x) {
      return new Diagonal(filled(root, x.rows())).left(algebra, x);
    }

    @Override
    public Matrix right(LinearAlgebra algebra, Matrix x) {
      return new Diagonal(filled(root, x.cols())).right(algebra, x);
    }

    @Override
    public Matrix undoLeft(LinearAlgebra algebra, Matrix x) {
      return new Diagonal(filled(root, x.rows())).undoLeft(algebra, x);
    }

    @Override
    public Matrix undoRight(LinearAlgebra algebra, Matrix x) {
      return new Diagonal(filled(root, x.cols())).undoRight(algebra, x);
    }

    @Override
    public double meanSquare(LinearAlgebra algebra, int size) {
      return root * root;
    }

    private static double[] filled(double value, int size) {
      double[] values = new double[size];
      Arrays.fill(values, value);
      return values;
    }
  }

  /**
   * H = diag(roots)².
   *
   * @param roots positive
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Diagonal(double[] roots) implements Weight {
    @Override
    public Matrix left(LinearAlgebra algebra, Matrix x) {
      return algebra.scaleRows(x, roots);
    }

    @Override
    public Matrix right(LinearAlgebra algebra, Matrix x) {
      return algebra.scaleColumns(x, roots);
    }

    @Override
    public Matrix undoLeft(LinearAlgebra algebra, Matrix x) {
      return algebra.scaleRows(x, inverse(roots));
    }

    @Override
    public Matrix undoRight(LinearAlgebra algebra, Matrix x) {
      return algebra.scaleColumns(x, inverse(roots));
    }

    @Override
    public double meanSquare(LinearAlgebra algebra, int size) {
      double sum = 0;
      for (double root : roots) {
        sum += root * root;
      }
      return sum / size;
    }

    static double[] inverse(double[] values) {
      double[] inverse = new double[values.length];
      for (int i = 0; i < values.length; i++) {
        inverse[i] = 1 / values[i];
      }
      return inverse;
    }
  }

  /**
   * H = C Cᵀ with C lower triangular. Products are taken in the precision of X, systems are solved
   * in that of C, where its condition number is at home.
   *
   * @param root C, made in the workspace in which the weight is used
   */
  record Cholesky(Matrix root) implements Weight {
    @Override
    public Matrix left(LinearAlgebra algebra, Matrix x) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix lower = inner.convert(root, x.precision());
        return algebra.keep(inner.multiplyLowerTransposed(lower, x));
      }
    }

    @Override
    public Matrix right(LinearAlgebra algebra, Matrix x) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix lower = inner.convert(root, x.precision());
        return algebra.keep(inner.multiplyLower(x, lower));
      }
    }

    @Override
    public Matrix undoLeft(LinearAlgebra algebra, Matrix x) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix solved = inner.solveLowerTransposed(root, inner.convert(x, root.precision()));
        return algebra.keep(inner.convert(solved, x.precision()));
      }
    }

    @Override
    public Matrix undoRight(LinearAlgebra algebra, Matrix x) {
      return algebra.transpose(undoLeft(algebra, algebra.transpose(x)));
    }

    @Override
    public double meanSquare(LinearAlgebra algebra, int size) {
      double norm = algebra.frobenius(root);
      return norm * norm / size;
    }
  }
}
