package dev.smelt.compress.cluster;

import java.util.List;

/** How many elements blocks take, alone and together. */
final class Elements {

  private Elements() {}

  /** r(m + Σ n_j) of a basis and the coefficients of all. */
  static long shared(int rank, List<Member> members) {
    long columns = members.stream().mapToLong(Member::columns).sum();
    return rank * (members.getFirst().block().rows() + columns);
  }

  /** The smaller of mn and of own factors within the promise. */
  static long alone(Member member, double maxError) {
    long rows = member.block().rows();
    double limit = maxError * maxError * member.squaredNorm();
    long factors = Energies.rankWithin(member.energies(), limit) * (rows + member.columns());
    return Math.min(rows * member.columns(), factors);
  }
}
