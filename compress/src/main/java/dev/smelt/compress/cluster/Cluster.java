package dev.smelt.compress.cluster;

import java.util.List;
import java.util.Optional;

/**
 * Blocks that share a basis Q of r orthonormal columns. Errors are relative: √(Σ_j‖A_j − QQᵀA_j‖² /
 * Σ_j‖A_j‖²).
 *
 * @param members their places in the list that was clustered, rising
 * @param rank r
 * @param error of the best basis of this rank; where the promise is one to every block, the largest
 *     ‖A_j − QQᵀA_j‖/‖A_j‖ with it. At most ε
 * @param bracket of the error at the rank that was asked for, while the cluster grew
 */
public record Cluster(List<Integer> members, int rank, double error, Bracket bracket) {

  /**
   * What was known of an error before it was computed.
   *
   * @param lower 0 where nothing was known
   * @param ledger of a cluster that grew by a truncated sum
   */
  public record Bracket(double lower, double upper, Optional<Ledger> ledger) {

    public Bracket(double lower, double upper) {
      this(lower, upper, Optional.empty());
    }
  }

  public Cluster {
    members = members.stream().sorted().toList();
  }
}
