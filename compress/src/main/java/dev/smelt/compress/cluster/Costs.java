package dev.smelt.compress.cluster;

import java.util.List;

/** What blocks take, alone and together, in units of {@link Widths}. */
final class Costs {

  private Costs() {}

  /** r(m + Σ n_j) elements of a basis and the coefficients of all. */
  static long shared(int rank, List<Member> members, ClusterOptions options) {
    long columns = members.stream().mapToLong(Member::columns).sum();
    long elements = rank * (members.getFirst().block().rows() + columns);
    return elements * options.widths().factor();
  }

  /** The smaller of mn elements and of own factors within the promise. */
  static long alone(Member member, ClusterOptions options) {
    long rows = member.block().rows();
    double limit = options.maxError() * options.maxError() * member.squaredNorm();
    long factors = Energies.rankWithin(member.energies(), limit) * (rows + member.columns());
    return Math.min(dense(member.block(), options), factors * options.widths().factor());
  }

  static long dense(Block block, ClusterOptions options) {
    return (long) block.rows() * block.columns() * options.widths().dense();
  }
}
