package dev.smelt.compress.lowrank;

import dev.smelt.compress.lowrank.ChebyshevFilter.Pass;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A basis V, m×l, and the matrix X, m×n, towards whose directions it is turned; G = X Xᵀ. */
final class Subspace {

  /** More products than this cost as much as the eigensolver. */
  private static final int LARGEST_DEGREE = 7;

  /** Of the gain of a pass, in units of 1/roundoff: smaller directions would drown in roundoff. */
  private static final double LARGEST_GAIN = 0.125;

  /** Roundoff of rough products, relative to an element. */
  private static final double ROUGH = 0x1p-9;

  /** What the roundoff of a rough G may lose of what may be lost. */
  private static final double ROUGH_SHARE = 0.2;

  /** What the plan, made from rough eigenvalues, aims at of what may be lost. */
  private static final double CAUTION = 0.2;

  /** Powers of G on one vector, enough to find λ₁ within the margin. */
  private static final int POWERS = 6;

  private static final double MARGIN = 1.2;

  private final LinearAlgebra algebra;
  private final Matrix x;
  private final @Nullable Matrix roughGram;
  private @Nullable Matrix exactGram;
  private final double[] values;
  private final double largest;
  private final double gramNorm;
  private final double total;
  private Matrix basis;

  /**
   * orth(G Ω) with random signs Ω, m×l.
   *
   * @param total ‖X‖²
   */
  Subspace(LinearAlgebra algebra, Matrix x, double total, int columns, long seed) {
    this.algebra = algebra;
    this.total = total;
    this.x = x;
    long m = x.rows();
    long n = x.cols();
    // Forming G pays when it is used more often than it costs: m²n against 4mnl − 2m²l a product.
    boolean forming = m * n < 4 * (4 * n - 2 * m) * columns;
    this.roughGram = forming ? algebra.gramRoughly(x) : null;
    Matrix signs = algebra.signs(x.rows(), columns, seed, x.precision());
    Matrix start = roughGram == null ? product(signs) : algebra.multiplyRoughly(roughGram, signs);
    Orthonormal first = Orthonormal.of(algebra, start);
    this.basis = first.vectors();
    this.values = RoughSpectrum.of(first.pivots());
    this.largest = largest();
    this.gramNorm = roughGram == null ? 0 : algebra.frobenius(roughGram);
  }

  /** V, orthonormal up to rounding. */
  Matrix basis() {
    basis = Orthonormal.of(algebra, basis).vectors();
    return basis;
  }

  /** G Y, with a rough G where there is one. */
  private Matrix product(Matrix y) {
    return roughGram != null
        ? algebra.multiply(roughGram, y)
        : algebra.multiply(x, algebra.multiply(algebra.transpose(x), y));
  }

  /** λ₁. */
  private double largest() {
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix vector = inner.leadingColumns(basis, 1);
      double value = 0;
      for (int i = 0; i < POWERS; i++) {
        vector = product(vector);
        value = inner.frobenius(vector);
        if (value == 0) {
          return 0;
        }
        vector = inner.scaleColumns(vector, new double[] {1 / value});
      }
      return MARGIN * value;
    }
  }

  /** The least polynomial that is expected to be good enough. */
  List<Pass> plan(int rank, Allowance allowance) {
    double edge = values[values.length - 1];
    if (edge <= 4 * x.precision().unitRoundoff() * largest) {
      // Nothing is left beyond the subspace that could be told from rounding.
      return List.of();
    }
    double kept = 0;
    for (int i = 0; i < rank; i++) {
      kept += values[i];
    }
    double tail = Math.max(allowance.total() - kept, edge * (x.rows() - rank) / 4);
    for (int degree = 1; ; degree++) {
      List<Pass> passes = passes(edge, degree, toleratesRough(rank, edge, allowance.at(tail)));
      double loss =
          new ChebyshevFilter(passes, values.length).expectedLoss(values, rank, x.rows(), tail);
      if (degree == LARGEST_DEGREE || loss <= CAUTION * allowance.at(tail)) {
        return passes;
      }
    }
  }

  /**
   * Whether G may be computed in bf16. Its error E costs, to second order, Σ_{i≤k<j} E_ij²/(λ_i −
   * λ_j). Rounding G when it is formed, scaled and multiplied leaves elements near 2⁻⁹‖G‖/m each
   * time over √3; few pairs have a difference below λ_k/2. Rounding X leaves E = XDᵀ + DXᵀ with
   * elements of D near d = 2⁻⁹‖X‖/√(3mn), so E_ij² ≈ (λ_i + λ_j)d², which is 6d² times the
   * difference for a typical pair.
   */
  private boolean toleratesRough(int rank, double edge, double allowed) {
    if (roughGram == null || isExact(roughGram)) {
      return false;
    }
    double pairs = rank * ((double) x.rows() - rank);
    double element = ROUGH * gramNorm / x.rows();
    double energy = ROUGH * ROUGH * total / (3.0 * x.rows() * x.cols());
    return pairs * (element * element * 2 / edge + 6 * energy) <= ROUGH_SHARE * allowed;
  }

  private boolean isExact(Matrix gram) {
    return gram.precision() == Precision.F64 || !algebra.roughIsFaster();
  }

  private Matrix gram(Matrix first, boolean rough) {
    if (rough || isExact(first)) {
      return first;
    }
    if (exactGram == null) {
      exactGram = algebra.gram(x);
    }
    return exactGram;
  }

  /** Passes whose gain leaves the smallest wanted directions above roundoff. */
  private List<Pass> passes(double edge, int degree, boolean rough) {
    double unit = rough ? ROUGH : x.precision().unitRoundoff();
    double top = Math.max(1, (2 * largest - edge) / edge);
    // Columns mix all directions, of which few have the largest gain.
    double limit = Math.log(LARGEST_GAIN / unit * Math.sqrt(values.length));
    int highest = 1;
    while (highest < degree && ChebyshevFilter.logChebyshev(highest + 1, top) < limit) {
      highest++;
    }
    boolean drowns = ChebyshevFilter.logChebyshev(highest, top) > limit;
    if (rough && drowns) {
      return passes(edge, degree, false);
    }
    int parts = Math.ceilDiv(degree, highest);
    List<Pass> passes = new ArrayList<>();
    for (int i = 0; i < parts; i++) {
      passes.add(new Pass(edge, (degree + i) / parts, rough));
    }
    return passes;
  }

  /** One more pass, of which the eigenvalues are known better. */
  List<Pass> another(double edge, int degree, int rank, double allowed) {
    return edge > 0 ? passes(edge, degree, toleratesRough(rank, edge, allowed)) : List.of();
  }

  /** V ← orth(Π T_d((2G − b)/b) V). */
  void apply(List<Pass> passes) {
    for (Pass pass : passes) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix turned =
            roughGram != null
                ? inner.chebyshev(
                    gram(roughGram, pass.rough()), basis, pass.edge(), pass.degree(), pass.rough())
                : chebyshev(inner, pass);
        basis = algebra.keep(Orthonormal.of(inner, turned).vectors());
      }
    }
  }

  /** Without G: T_{i+1} = 2 x T_i − T_{i−1} with two products of X each. */
  private Matrix chebyshev(LinearAlgebra inner, Pass pass) {
    double scale = 2 / pass.edge();
    Matrix before = basis;
    Matrix now = step(inner, scale, before, -1, before);
    for (int i = 1; i < pass.degree(); i++) {
      Matrix next = inner.subtract(step(inner, 2 * scale, now, -2, now), before);
      before = now;
      now = next;
    }
    return now;
  }

  /** αX(XᵀY) + βZ. */
  private Matrix step(LinearAlgebra inner, double alpha, Matrix y, double beta, Matrix z) {
    return inner.multiplyAdd(alpha, x, inner.multiply(inner.transpose(x), y), beta, z);
  }
}
