package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;

/**
 * By σᵢ(M) ≥ max_j σᵢ(A_j), one of the A_j being the whole head: e_r² ≤ τ² − Σ_{i≤r} max_j
 * σᵢ(A_j)². Shamrai, arXiv 2601.11626; the largest value counts for each i by itself, so blocks may
 * have more columns than r.
 */
final class MaxNormGrowth implements Growth {

  private final TruncatedSum head;
  private final double[] largest;
  private double total;

  /**
   * @param head the blocks with which the cluster begins
   */
  MaxNormGrowth(TruncatedSum head, int rank) {
    this.head = head;
    this.largest = new double[rank];
    this.total = head.total();
    raise(largest, head.values());
  }

  private static void raise(double[] largest, double[] energies) {
    for (int i = 0; i < Math.min(largest.length, energies.length); i++) {
      largest[i] = Math.max(largest[i], energies[i]);
    }
  }

  private static double left(double total, double[] kept) {
    double left = total;
    for (double energy : kept) {
      left -= energy;
    }
    return Math.max(0, left);
  }

  @Override
  public double total() {
    return total;
  }

  @Override
  public double bound() {
    return left(total, largest);
  }

  @Override
  public double boundWith(LinearAlgebra algebra, Member member, Matrix a) {
    double[] raised = largest.clone();
    raise(raised, member.energies());
    return left(total + member.squaredNorm(), raised);
  }

  @Override
  public void add(LinearAlgebra algebra, Member member, Matrix a) {
    raise(largest, member.energies());
    total += member.squaredNorm();
  }

  @Override
  public void close() {
    head.close();
  }
}
