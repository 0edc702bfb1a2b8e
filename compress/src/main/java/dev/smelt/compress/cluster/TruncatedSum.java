package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Ĝ = Q Λ Qᵀ, the best approximation of rank r + p of Ĝ' + A Aᵀ for each block in turn. Ĝ ⪯ Σ A_j
 * A_jᵀ, so with est² = τ² − Σ_{i≤r} λᵢ and d_k the largest eigenvalue that step k dropped,
 *
 * <pre>max(0, est² − r Σ d_k) ≤ e_r² ≤ est²</pre>
 *
 * where e_r² is what the best basis of r directions leaves of all blocks together. Of the
 * concatenation [Q√Λ, A] only the products among columns are decomposed. Not to be changed: {@link
 * #plus} makes another one.
 */
final class TruncatedSum implements AutoCloseable {

  /** Directions with less of the largest eigenvalue are rounding. */
  private static final double NEGLIGIBLE = 1e-14;

  private final LinearAlgebra own;
  private final int limit;
  private final @Nullable Matrix basis;
  private final double[] values;
  private final double total;
  private final double dropped;
  private final double discarded;

  private TruncatedSum(
      LinearAlgebra own,
      int limit,
      @Nullable Matrix basis,
      double[] values,
      double total,
      double dropped,
      double discarded) {
    this.own = own;
    this.limit = limit;
    this.basis = basis;
    this.values = values;
    this.total = total;
    this.dropped = dropped;
    this.discarded = discarded;
  }

  /**
   * Of no blocks.
   *
   * @param limit r + p
   */
  static TruncatedSum empty(LinearAlgebra algebra, int limit) {
    return new TruncatedSum(algebra.inner(), limit, null, new double[0], 0, 0, 0);
  }

  /** Q, m×q; none as long as all blocks are zero. */
  Optional<Matrix> basis() {
    return Optional.ofNullable(basis);
  }

  /** λ, falling. */
  double[] values() {
    return values.clone();
  }

  /** τ² = Σ‖A_j‖². */
  double total() {
    return total;
  }

  /** Σ d_k. */
  double dropped() {
    return dropped;
  }

  /** The sum of all eigenvalues that were dropped: τ² = Σ λ + this. */
  double discarded() {
    return discarded;
  }

  /** est². */
  double estimate(int rank) {
    return Energies.left(total, values, rank);
  }

  /** What e_r² is at least. */
  double lowerBound(int rank) {
    return Math.max(0, estimate(rank) - rank * dropped);
  }

  /** est² with one more block. */
  double estimateWith(LinearAlgebra algebra, Matrix a, double squaredNorm, int rank) {
    try (LinearAlgebra inner = algebra.inner()) {
      return Energies.left(total + squaredNorm, inner.eigenvalues(products(inner, a)), rank);
    }
  }

  /** Of [Q√Λ, A]ᵀ[Q√Λ, A]. */
  private Matrix products(LinearAlgebra algebra, Matrix a) {
    int q = values.length;
    int size = q + a.cols();
    double[] k = new double[size * size];
    double[] own = algebra.gram(algebra.transpose(a)).toDoubles();
    for (int i = 0; i < a.cols(); i++) {
      System.arraycopy(own, i * a.cols(), k, (q + i) * size + q, a.cols());
    }
    if (basis != null) {
      double[] cross = algebra.multiply(algebra.transpose(a), basis).toDoubles();
      for (int j = 0; j < q; j++) {
        k[j * size + j] = values[j];
        for (int i = 0; i < a.cols(); i++) {
          k[(q + i) * size + j] = Math.sqrt(values[j]) * cross[i * q + j];
        }
      }
    }
    // The lower triangle is all that is read.
    return algebra.matrix(size, size, k);
  }

  /** The sum with one more block; this one stays as it is. */
  TruncatedSum plus(LinearAlgebra algebra, Matrix a, double squaredNorm) {
    LinearAlgebra next = algebra.inner();
    try (LinearAlgebra inner = algebra.inner()) {
      Eigen eigen = inner.eigh(products(inner, a));
      double[] found = eigen.values();
      int count = 0;
      while (count < Math.min(Math.min(limit, a.rows()), found.length)
          && found[count] > NEGLIGIBLE * found[0]) {
        count++;
      }
      double cut = count < found.length ? Math.max(0, found[count]) : 0;
      Matrix turned = count == 0 ? null : next.keep(turned(inner, a, eigen, count));
      return new TruncatedSum(
          next,
          limit,
          turned,
          Arrays.copyOf(found, count),
          total + squaredNorm,
          dropped + cut,
          discarded + sum(found, count));
    } catch (RuntimeException e) {
      next.close();
      throw e;
    }
  }

  private static double sum(double[] values, int from) {
    double sum = 0;
    for (int i = values.length - 1; i >= from; i--) {
      sum += Math.max(0, values[i]);
    }
    return sum;
  }

  /** [Q√Λ, A] V S⁻¹, made orthonormal to the last digit. */
  private Matrix turned(LinearAlgebra algebra, Matrix a, Eigen eigen, int count) {
    Matrix vectors = algebra.leadingColumns(eigen.vectors(), count);
    int q = values.length;
    double[] inverse = new double[count];
    Arrays.setAll(inverse, i -> 1 / Math.sqrt(eigen.values()[i]));
    Matrix lower = algebra.scaleColumns(algebra.rows(vectors, q, q + a.cols()), inverse);
    Matrix sum = algebra.multiply(a, lower);
    if (basis != null) {
      double[] roots = new double[q];
      Arrays.setAll(roots, i -> Math.sqrt(values[i]));
      Matrix upper = algebra.scaleColumns(algebra.rows(vectors, 0, q), inverse);
      sum = algebra.multiplyAdd(1, basis, algebra.scaleRows(upper, roots), 1, sum);
    }
    // Reflections keep the span of leading columns, and signs do not matter.
    return algebra.qr(sum).q();
  }

  @Override
  public void close() {
    own.close();
  }
}
