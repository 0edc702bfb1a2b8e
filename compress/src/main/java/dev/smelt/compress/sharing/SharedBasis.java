package dev.smelt.compress.sharing;

import dev.smelt.compress.cluster.Cluster;
import dev.smelt.compress.layer.Factors;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Basis;
import java.util.List;

/**
 * A cluster as it will be stored.
 *
 * @param basis A [out, r] or B [r, in]
 * @param members who shares it
 * @param error of all together, as stored: √(Σ‖E‖²/Σ‖X‖²), or the largest of a member where the
 *     promise is one to every matrix
 * @param weightedError the same in the norm in which the promise is given
 * @param bracket in which the error was known to lie while the cluster grew
 */
record SharedBasis(
    Side side,
    TensorView basis,
    List<SharedMember> members,
    double error,
    double weightedError,
    Cluster.Bracket bracket) {

  SharedBasis {
    members = List.copyOf(members);
  }

  /** Whether it has a name of its own, as those of clusters do. */
  boolean isShared() {
    return Basis.named(basis.name()).isPresent();
  }

  int rank() {
    return Math.toIntExact(basis.shape().size(side == Side.OUTPUT ? 1 : 0));
  }

  /** Of the basis and all coefficients. */
  long bytes() {
    return basis.storedBytes()
        + members.stream().mapToLong(one -> one.coefficients().storedBytes()).sum();
  }

  SharedMember member(Subjects.Place place) {
    return members.stream()
        .filter(one -> Subjects.Place.of(one.subject()).equals(place))
        .findFirst()
        .orElseThrow();
  }

  Factors factors(SharedMember member) {
    return side == Side.OUTPUT
        ? new Factors(basis, member.coefficients())
        : new Factors(member.coefficients(), basis);
  }
}
