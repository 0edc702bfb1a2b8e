package dev.smelt.compress.lowrank;

import java.util.ArrayList;
import java.util.List;

/**
 * What was done to a random subspace: q(λ) = λ Π T_d((2λ − b)/b), with Chebyshev polynomials T_d,
 * which stay within ±1 on [0, b] and grow as fast as any polynomial above.
 *
 * @param passes the factors T_d, in between which the basis is made orthonormal
 * @param columns l, of the subspace
 */
record ChebyshevFilter(List<Pass> passes, int columns) {

  /** The expectation is met on average; it is hardly ever exceeded by this factor. */
  private static final double MARGIN = 2;

  /** How many eigenvalues tell how dense they are at the edge. */
  private static final int WINDOW = 64;

  /**
   * T_d((2λ − b)/b).
   *
   * @param edge b
   * @param degree d
   * @param rough whether its products may be taken of values rounded to bf16
   */
  record Pass(double edge, int degree, boolean rough) {

    /** log |T_d| at λ ≥ b; 0, the largest of it, below. */
    double logGain(double eigenvalue) {
      return logChebyshev(degree, Math.max(1, (2 * eigenvalue - edge) / edge));
    }
  }

  ChebyshevFilter {
    passes = List.copyOf(passes);
  }

  /** This filter, and then more. */
  ChebyshevFilter and(List<Pass> more) {
    List<Pass> all = new ArrayList<>(passes);
    all.addAll(more);
    return new ChebyshevFilter(all, columns);
  }

  /** log T_d(x) for x ≥ 1. */
  static double logChebyshev(int degree, double x) {
    double angle = degree * Math.log(x + Math.sqrt(x * x - 1));
    // cosh(t) = e^t (1 + e^−2t) / 2, without overflow
    return angle + Math.log1p(Math.exp(-2 * angle)) - Math.log(2);
  }

  /**
   * An upper estimate of the energy that the best rank-k matrix in the subspace loses against the
   * best one of all. For every split s from k to l − 2 the expectation over the random start is at
   * most
   *
   * <pre>Σ_{i≤k} (λ_i − λ̄)/q(λ_i)² · Σ_{j>s} q(λ_j)² / (l − s − 1)</pre>
   *
   * (Halko, Martinsson and Tropp, theorem 10.5 and its proof, with q(X Xᵀ) for a power), λ̄ the
   * mean of the eigenvalues that are left out, which replace what is lost. The least over s is
   * taken.
   *
   * @param eigenvalues λ₁ … λ_l found in the subspace, falling, positive
   * @param size m, of G
   * @param tail Σ_{i>k} λ_i
   */
  double expectedLoss(double[] eigenvalues, int rank, int size, double tail) {
    double unit = Math.max(eigenvalues[columns - 1], Double.MIN_NORMAL);
    double mean = tail / Math.max(1, size - rank);
    double wanted = 0;
    for (int i = 0; i < rank; i++) {
      wanted += Math.max(0, eigenvalues[i] - mean) / square(eigenvalues[i], unit);
    }
    double least = Double.POSITIVE_INFINITY;
    double unwanted = outside(eigenvalues, size - columns, unit) + square(unit, unit);
    for (int split = columns - 2; split >= rank; split--) {
      unwanted += square(eigenvalues[split], unit);
      least = Math.min(least, unwanted / (columns - split - 1));
    }
    return MARGIN * wanted * least;
  }

  /** (q(λ)/unit)². */
  private double square(double eigenvalue, double unit) {
    double log = Math.log(Math.max(eigenvalue, unit) / unit);
    for (Pass pass : passes) {
      log += pass.logGain(eigenvalue);
    }
    return Math.exp(2 * log);
  }

  /**
   * Σ_{j>l} (q(λ_j)/λ_l)². Between λ_l and the highest edge eigenvalues are taken to be as dense as
   * above λ_l; for those below, spread evenly, λ²T² has the mean b²/6.
   */
  private double outside(double[] eigenvalues, int count, double unit) {
    int from = Math.max(0, columns - 1 - WINDOW);
    double step = (eigenvalues[from] - unit) / Math.max(1, columns - 1 - from);
    double edge = passes.stream().mapToDouble(Pass::edge).max().orElse(0);
    double sum = 0;
    double value = unit;
    int between = 0;
    while (between < count && value > edge && step > 0) {
      sum += square(value, unit);
      value -= step;
      between++;
    }
    double below = passes.isEmpty() ? 1 : Math.pow(edge / unit, 2) / 6;
    return sum + (count - between) * below;
  }
}
