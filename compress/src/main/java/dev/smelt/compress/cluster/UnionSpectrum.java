package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.Latest;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.List;

/**
 * Of Σ A_jA_jᵀ over the members of a cluster, exactly: the best bases of every rank, Q_r the
 * leading columns, with e_r² = τ² − Σ_{i≤r} λᵢ.
 *
 * @param values λ, falling, none negative
 * @param vectors Q, m×m
 * @param total τ² = Σ‖A_j‖²
 */
@SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
record UnionSpectrum(double[] values, Matrix vectors, double total) {

  static UnionSpectrum of(LinearAlgebra algebra, List<Member> members) {
    try (LinearAlgebra inner = algebra.inner();
        Latest sum = new Latest(inner)) {
      double total = 0;
      for (Member member : members) {
        try (LinearAlgebra one = inner.inner()) {
          Matrix a = member.load(one);
          sum.set(
              sum.get()
                  .map(before -> one.multiplyAdd(1, a, one.transpose(a), 1, before))
                  .orElseGet(() -> one.gram(a)));
        }
        total += member.squaredNorm();
      }
      Eigen eigen = inner.eigh(sum.get().orElseThrow());
      double[] values = eigen.values();
      for (int i = 0; i < values.length; i++) {
        values[i] = Math.max(0, values[i]);
      }
      return new UnionSpectrum(values, algebra.keep(eigen.vectors()), total);
    }
  }

  /** e_r²; summed from the smallest up, so that a small tail is not lost in a large total. */
  double tail(int rank) {
    return Energies.tail(values, rank);
  }

  /** ‖A_j‖² − ‖Q_rᵀA_j‖² for every r from 0 to m. */
  double[] tails(LinearAlgebra algebra, Member member) {
    try (LinearAlgebra inner = algebra.inner()) {
      double[] norms = inner.rowNorms(inner.multiply(inner.transpose(vectors), member.load(inner)));
      double[] tails = new double[norms.length + 1];
      for (int i = norms.length - 1; i >= 0; i--) {
        tails[i] = tails[i + 1] + norms[i] * norms[i];
      }
      return tails;
    }
  }

  /** The smallest r that keeps the promise; at least 1. */
  int rank(LinearAlgebra algebra, List<Member> members, ClusterOptions options) {
    double maxError = options.maxError();
    return options.perBlock()
        ? rankForEvery(algebra, members, maxError)
        : Energies.rankWithin(values, maxError * maxError * total);
  }

  /** The smallest r with ‖A_j − Q_rQ_rᵀA_j‖ ≤ ε‖A_j‖ for every member; at least 1. */
  private int rankForEvery(LinearAlgebra algebra, List<Member> members, double maxError) {
    int rank = 1;
    for (Member member : members) {
      double[] tails = tails(algebra, member);
      double limit = maxError * maxError * member.squaredNorm();
      while (rank < values.length && tails[rank] > limit) {
        rank++;
      }
    }
    return rank;
  }

  /** The member of which Q_r leaves the largest share. */
  Member worst(LinearAlgebra algebra, List<Member> members, int rank) {
    Member worst = members.getFirst();
    double largest = -1;
    for (Member member : members) {
      double norm = Math.max(member.squaredNorm(), Double.MIN_NORMAL);
      double share = tails(algebra, member)[Math.min(rank, values.length)] / norm;
      if (share > largest) {
        largest = share;
        worst = member;
      }
    }
    return worst;
  }
}
