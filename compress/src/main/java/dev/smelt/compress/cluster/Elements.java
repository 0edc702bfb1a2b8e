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
    long factors = rankWithin(member.energies(), limit) * (rows + member.columns());
    return Math.min(rows * member.columns(), factors);
  }

  /** The smallest r with Σ_{i>r} energies ≤ {@code limit}, at least 1. */
  static int rankWithin(double[] energies, double limit) {
    double tail = 0;
    int rank = energies.length;
    while (rank > 1 && tail + energies[rank - 1] <= limit) {
      rank--;
      tail += energies[rank];
    }
    return rank;
  }

  /** Σ of all beyond the first {@code rank}, from the smallest up. */
  static double tail(double[] energies, int rank) {
    double tail = 0;
    for (int i = energies.length - 1; i >= rank; i--) {
      tail += energies[i];
    }
    return tail;
  }
}
