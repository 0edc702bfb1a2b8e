package dev.smelt.compress.lowrank;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

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

    static double[] inverse(double[] values) {
      double[] inverse = new double[values.length];
      for (int i = 0; i < values.length; i++) {
        inverse[i] = 1 / values[i];
      }
      return inverse;
    }
  }

  /**
   * H = C Cᵀ with C lower triangular.
   *
   * @param root C, made in the workspace in which the weight is used
   */
  record Cholesky(Matrix root) implements Weight {
    @Override
    public Matrix left(LinearAlgebra algebra, Matrix x) {
      return algebra.multiply(algebra.transpose(root), x);
    }

    @Override
    public Matrix right(LinearAlgebra algebra, Matrix x) {
      return algebra.multiply(x, root);
    }

    @Override
    public Matrix undoLeft(LinearAlgebra algebra, Matrix x) {
      return algebra.solveLowerTransposed(root, x);
    }

    @Override
    public Matrix undoRight(LinearAlgebra algebra, Matrix x) {
      return algebra.transpose(algebra.solveLowerTransposed(root, algebra.transpose(x)));
    }
  }
}
