package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;

/**
 * A block as clustering sees it: only A Aᵀ counts, so one of more columns than rows is replaced by
 * a root of its A Aᵀ, and where every block counts alike it is scaled to norm 1.
 */
final class Member {

  private final int index;
  private final Block block;
  private final double scale;
  private final double squaredNorm;

  /** Of AᵀA or A Aᵀ, whichever is smaller: σ², falling. */
  private final double[] energies;

  private Member(int index, Block block, double scale, double squaredNorm, double[] energies) {
    this.index = index;
    this.block = block;
    this.scale = scale;
    this.squaredNorm = squaredNorm;
    this.energies = energies;
  }

  /**
   * @param unit whether it is scaled to norm 1; a block of zeros stays as it is
   */
  static Member of(LinearAlgebra algebra, int index, Block block, boolean unit) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix a = block.load(inner);
      double norm = inner.frobenius(a);
      double scale = unit && norm > 0 ? 1 / norm : 1;
      Matrix small = a.rows() <= a.cols() ? a : inner.transpose(a);
      double[] energies = inner.eigh(inner.gram(scaled(inner, small, scale))).values();
      for (int i = 0; i < energies.length; i++) {
        energies[i] = Math.max(0, energies[i]);
      }
      return new Member(index, block, scale, Arrays.stream(energies).sum(), energies);
    }
  }

  int index() {
    return index;
  }

  Block block() {
    return block;
  }

  int columns() {
    return block.columns();
  }

  /** ‖A‖². */
  double squaredNorm() {
    return squaredNorm;
  }

  /** σ(A)², falling. */
  double[] energies() {
    return energies.clone();
  }

  /** A, m×n with n ≤ m, or a root of A Aᵀ in its place. */
  Matrix load(LinearAlgebra algebra) {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix a = scaled(inner, block.load(inner), scale);
      return algebra.keep(a.cols() <= a.rows() ? a : root(inner, a));
    }
  }

  private static Matrix root(LinearAlgebra algebra, Matrix a) {
    Eigen eigen = algebra.eigh(algebra.gram(a));
    double[] roots = eigen.values();
    for (int i = 0; i < roots.length; i++) {
      roots[i] = Math.sqrt(Math.max(0, roots[i]));
    }
    return algebra.scaleColumns(eigen.vectors(), roots);
  }

  private static Matrix scaled(LinearAlgebra algebra, Matrix a, double scale) {
    if (scale == 1) {
      return a;
    }
    double[] factors = new double[a.rows()];
    Arrays.fill(factors, scale);
    return algebra.scaleRows(a, factors);
  }
}
