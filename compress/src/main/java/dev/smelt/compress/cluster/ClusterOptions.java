package dev.smelt.compress.cluster;

import dev.smelt.formats.UsageException;
import java.util.Locale;

/**
 * How blocks are put together.
 *
 * @param rank r, of every shared basis at first; it is lowered where less will do
 * @param maxError ε: ‖M − QQᵀM‖ ≤ ε‖M‖ for the concatenation M of a cluster, or for every block of
 *     it
 * @param patience clusters in a row that may stay without company before the rest is left alone
 * @param oversampling p: directions kept beside the r of {@link Algorithm#INCREMENTAL}
 * @param perBlock the promise is one to every block, and every block counts alike
 * @param widths what elements cost, for sharing must pay
 */
public record ClusterOptions(
    Algorithm algorithm,
    int rank,
    double maxError,
    Order order,
    int patience,
    int oversampling,
    boolean perBlock,
    Widths widths) {

  public static final int PATIENCE = 10;
  public static final int OVERSAMPLING = 8;

  /** By what clusters are judged while they grow. */
  public enum Algorithm {
    /** σᵢ(M) ≥ max_j σᵢ(A_j). */
    MAX_NORM,
    /** Σ_{i≤r} σᵢ(M)² ≥ Σ_{i≤r} sᵢ², s all singular values of what each block adds. */
    RESIDUAL,
    /** A truncated sum of A_j A_jᵀ. */
    INCREMENTAL,
    /** Spectra of whole unions, merged in pairs. */
    EXACT;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  /** In which order blocks are offered to a cluster. */
  public enum Order {
    /** Rising ‖A‖. */
    NORM,
    /** Rising ‖A − QQᵀA‖/‖A‖, Q spanning the blocks with which the cluster begins. */
    RESIDUAL;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * @throws UsageException when a number is out of range
   */
  public ClusterOptions {
    require(rank >= 1, "--rank " + rank, "1 or more");
    require(maxError >= 0 && maxError < 1, "--max-error " + maxError, "0 to less than 1");
    require(patience >= 1, "--patience " + patience, "1 or more");
    require(oversampling >= 0, "--oversampling " + oversampling, "0 or more");
  }

  /** Where elements of blocks and of factors cost the same. */
  public ClusterOptions(
      Algorithm algorithm,
      int rank,
      double maxError,
      Order order,
      int patience,
      int oversampling,
      boolean perBlock) {
    this(algorithm, rank, maxError, order, patience, oversampling, perBlock, Widths.EQUAL);
  }

  public static ClusterOptions of(Algorithm algorithm, int rank, double maxError) {
    return new ClusterOptions(algorithm, rank, maxError, Order.NORM, PATIENCE, OVERSAMPLING, false);
  }

  public ClusterOptions with(Order other) {
    return new ClusterOptions(
        algorithm, rank, maxError, other, patience, oversampling, perBlock, widths);
  }

  public ClusterOptions with(Widths other) {
    return new ClusterOptions(
        algorithm, rank, maxError, order, patience, oversampling, perBlock, other);
  }

  /** With a promise to every block. */
  public ClusterOptions toEveryBlock() {
    return new ClusterOptions(
        algorithm, rank, maxError, order, patience, oversampling, true, widths);
  }

  private static void require(boolean holds, String what, String range) {
    if (!holds) {
      throw new UsageException(what + " is out of range", "use " + range);
    }
  }
}
