package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Svd;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * By what each block adds: with R_k = (I − QQᵀ)A_k, Q spanning the blocks before, and s the union
 * of all σ(R_k), Σ_{i≤r} σᵢ(M)² ≥ Σ_{i≤r} sᵢ²: the s are the singular values of the diagonal blocks
 * of a triangular matrix with those of M. So e_r² ≤ τ² − Σ_{i≤r} sᵢ². Single σᵢ(M) may be below sᵢ.
 */
final class ResidualGrowth implements Growth {

  /** Of ‖A‖: singular values of a residual below it are rounding, and their directions are none. */
  private static final double NEGLIGIBLE = 1e-12;

  private final LinearAlgebra own;
  private final TruncatedSum head;
  private final int rank;

  /** Parts of Q, orthogonal to each other. */
  private final List<Matrix> spans = new ArrayList<>();

  /** s², falling. */
  private double[] energies;

  private double total;

  /**
   * @param head which must not have dropped anything
   */
  ResidualGrowth(LinearAlgebra algebra, TruncatedSum head, int rank) {
    this.own = algebra.inner();
    this.head = head;
    this.rank = rank;
    this.energies = head.values();
    this.total = head.total();
    head.basis().ifPresent(spans::add);
  }

  /** Twice, since once leaves rounding of the size of A. */
  private Svd residual(LinearAlgebra algebra, Matrix a) {
    Matrix residual = a;
    for (int i = 0; i < 2; i++) {
      for (Matrix span : spans) {
        Matrix coordinates = algebra.multiply(algebra.transpose(span), residual);
        residual = algebra.multiplyAdd(-1, span, coordinates, 1, residual);
      }
    }
    return algebra.svd(residual);
  }

  private double[] with(double[] singularValues) {
    double[] all = Arrays.copyOf(energies, energies.length + singularValues.length);
    for (int i = 0; i < singularValues.length; i++) {
      all[energies.length + i] = singularValues[i] * singularValues[i];
    }
    Arrays.sort(all);
    for (int i = 0, k = all.length - 1; i < k; i++, k--) {
      double swapped = all[i];
      all[i] = all[k];
      all[k] = swapped;
    }
    return all;
  }

  @Override
  public double total() {
    return total;
  }

  @Override
  public double bound() {
    return Energies.left(total, energies, rank);
  }

  @Override
  public double boundWith(LinearAlgebra algebra, Member member, Matrix a) {
    try (LinearAlgebra inner = algebra.inner()) {
      return Energies.left(total + member.squaredNorm(), with(residual(inner, a).s()), rank);
    }
  }

  @Override
  public void add(LinearAlgebra algebra, Member member, Matrix a) {
    try (LinearAlgebra inner = algebra.inner()) {
      Svd found = residual(inner, a);
      double limit = NEGLIGIBLE * Math.sqrt(member.squaredNorm());
      int count = 0;
      while (count < found.s().length && found.s()[count] > limit) {
        count++;
      }
      if (count > 0) {
        spans.add(own.keep(inner.leadingColumns(found.u(), count)));
      }
      energies = with(found.s());
      total += member.squaredNorm();
    }
  }

  @Override
  public void close() {
    own.close();
    head.close();
  }
}
