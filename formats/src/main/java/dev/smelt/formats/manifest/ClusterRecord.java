package dev.smelt.formats.manifest;

import java.util.List;

/**
 * Matrices that share a basis, with the certificate of their cluster.
 *
 * @param basis name of its tensor
 * @param side what they have in common: "output" (A of W = AB) or "input" (B)
 * @param members their modules
 * @param rank of the basis
 * @param relativeError √(Σ‖W − AB‖²/Σ‖W‖²) of what was written, or the largest ‖W − AB‖/‖W‖ where
 *     the promise was one to every matrix
 * @param lowerBound what was known of the error while the cluster grew; 0: nothing
 * @param upperBound the same from above
 * @param bytesBefore of the matrices
 * @param bytesAfter of the basis and all coefficients
 */
public record ClusterRecord(
    String basis,
    String side,
    List<String> members,
    int rank,
    double relativeError,
    double lowerBound,
    double upperBound,
    long bytesBefore,
    long bytesAfter) {

  public ClusterRecord {
    members = List.copyOf(members);
  }
}
