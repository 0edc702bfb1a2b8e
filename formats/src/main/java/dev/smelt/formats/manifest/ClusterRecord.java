package dev.smelt.formats.manifest;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Matrices that share a basis, with the certificate of their cluster.
 *
 * @param basis name of its tensor
 * @param side what they have in common: "output" (A of W = AB) or "input" (B)
 * @param members their modules; of several models each {@code <model>/<module>}
 * @param copies modules of other models that equal a member and are stored as it is; null: none
 * @param rank of the basis
 * @param relativeError √(Σ‖W − AB‖²/Σ‖W‖²) of what was written, or the largest ‖W − AB‖/‖W‖ where
 *     the promise was one to every matrix
 * @param weightedRelativeError the same of ‖L(W − AB)R‖ in the metric of the cluster, where it is
 *     not the plain one; then the promise is of this error
 * @param lowerBound what was known of the error while the cluster grew; 0: nothing
 * @param upperBound the same from above
 * @param energy of a cluster that grew by a truncated sum, what that kept; else null
 * @param bytesBefore of the matrices
 * @param bytesAfter of the basis and all coefficients
 */
public record ClusterRecord(
    String basis,
    String side,
    List<String> members,
    @Nullable List<String> copies,
    int rank,
    double relativeError,
    @Nullable Double weightedRelativeError,
    double lowerBound,
    double upperBound,
    @Nullable Energy energy,
    long bytesBefore,
    long bytesAfter) {

  /**
   * The ledger of a truncated sum of A_jA_jᵀ, in squared norms: total = kept + dropped.
   *
   * @param total Σ‖A_j‖², in the norm in which clusters were looked for
   */
  public record Energy(double total, double kept, double dropped) {}

  public ClusterRecord {
    members = List.copyOf(members);
    copies = copies == null || copies.isEmpty() ? null : List.copyOf(copies);
  }
}
