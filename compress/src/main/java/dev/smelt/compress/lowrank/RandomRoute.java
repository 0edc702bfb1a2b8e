package dev.smelt.compress.lowrank;

import dev.smelt.compress.lowrank.ChebyshevFilter.Pass;
import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.List;
import java.util.Optional;

/**
 * Singular directions from a random subspace, turned towards the leading ones by polynomials of G =
 * X Xᵀ (Halko, Martinsson and Tropp, SIAM Review 53, 2011, with the Chebyshev filters of Zhou and
 * Saad, SIAM J. Matrix Anal. 29, 2007, in place of powers): V₀ = orth(G Ω), V = orth(p(G) V₀), then
 * the singular directions of VᵀX. With l > k columns and a polynomial p that is small on [0, b], b
 * ≈ λ_l, and large above, few products with G are enough.
 */
final class RandomRoute {

  private static final long SEED = 0x5eed;

  /** Columns beyond the rank: they make the filter's edge less steep. */
  private static final double OVERSAMPLING = 0.32;

  private static final int LEAST_OVERSAMPLING = 16;

  /** Below this rank share of the smaller side the subspace is worth its trouble. */
  private static final double LARGEST_SHARE = 0.45;

  /** Smaller matrices are left to the eigensolver, which is fast on them. */
  private static final int SMALLEST_SIDE = 1024;

  /** Where the rank is a small share of the side, the subspace is cheap on smaller ones too. */
  private static final int SMALLEST_SIDE_OF_THIN = 256;

  private static final double THIN_SHARE = 0.0625;

  /** How often a subspace that is not good enough is turned further. */
  private static final int MORE_ATTEMPTS = 1;

  private static final int MORE_DEGREES = 2;

  private RandomRoute() {}

  /** Whether this route is the fastest for a matrix with sides m ≤ n. */
  static boolean suits(int m, int rank) {
    boolean half = m >= SMALLEST_SIDE && rank <= LARGEST_SHARE * m;
    boolean thin = m >= SMALLEST_SIDE_OF_THIN && rank <= THIN_SHARE * m;
    return (half || thin) && columns(m, rank) < m;
  }

  /** l: columns of the subspace. */
  static int columns(int m, int rank) {
    return Math.min(m, rank + Math.max(LEAST_OVERSAMPLING, (int) (OVERSAMPLING * rank)));
  }

  /**
   * @param x m×n, m ≤ n
   * @return empty when the subspace would be no smaller than the space
   */
  static Optional<Directions> find(LinearAlgebra algebra, Matrix x, int rank, Allowance allowance) {
    int columns = columns(x.rows(), rank);
    if (columns >= x.rows()) {
      return Optional.empty();
    }
    try (LinearAlgebra inner = algebra.inner()) {
      Subspace subspace = new Subspace(inner, x, allowance.total(), columns, SEED);
      List<Pass> passes = subspace.plan(rank, allowance);
      ChebyshevFilter filter = new ChebyshevFilter(List.of(), columns);
      for (int attempt = 0; ; attempt++) {
        subspace.apply(passes);
        filter = filter.and(passes);
        Ritz ritz = Ritz.of(algebra, subspace.basis(), x, rank);
        double tail = ritz.tail(allowance);
        double lost = filter.expectedLoss(ritz.eigenvalues(), rank, x.rows(), tail);
        double allowed = allowance.at(tail);
        if (lost <= allowed || attempt == MORE_ATTEMPTS || passes.isEmpty()) {
          return Optional.of(new Directions(ritz.u(), ritz.c(), ritz.values(), lost / allowed));
        }
        double edge = ritz.eigenvalues()[columns - 1];
        passes = subspace.another(edge, MORE_DEGREES, rank, allowed);
      }
    }
  }

  /**
   * Singular directions of X within the subspace of V.
   *
   * @param eigenvalues squares of all l singular values of VᵀX
   * @param u the leading k directions, m×k
   * @param c UᵀX
   * @param values norms of the rows of C
   */
  @SuppressWarnings("ArrayRecordComponent") // taken apart at once, never compared
  private record Ritz(double[] eigenvalues, Matrix u, Matrix c, double[] values) {

    static Ritz of(LinearAlgebra algebra, Matrix v, Matrix x, int rank) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix projected = inner.multiply(inner.transpose(v), x);
        Eigen eigen = inner.eigh(inner.gram(projected));
        Matrix rotation = inner.leadingColumns(eigen.vectors(), rank);
        Matrix u = inner.multiply(v, rotation);
        Matrix c = inner.multiply(inner.transpose(rotation), projected);
        double[] values = Directions.falling(inner.rowNorms(c));
        return new Ritz(eigen.values(), algebra.keep(u), algebra.keep(c), values);
      }
    }

    /** ‖X‖² − ‖C‖². */
    double tail(Allowance allowance) {
      double kept = 0;
      for (double value : values) {
        kept += value * value;
      }
      return Math.max(0, allowance.total() - kept);
    }
  }
}
