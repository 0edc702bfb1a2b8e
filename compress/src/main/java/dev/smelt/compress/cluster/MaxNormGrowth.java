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
    Energies.raise(largest, head.values());
  }

  @Override
  public double total() {
    return total;
  }

  @Override
  public double bound() {
    return Energies.left(total, largest, largest.length);
  }

  @Override
  public double boundWith(LinearAlgebra algebra, Member member, Matrix a) {
    double[] raised = largest.clone();
    Energies.raise(raised, member.energies());
    return Energies.left(total + member.squaredNorm(), raised, raised.length);
  }

  @Override
  public void add(LinearAlgebra algebra, Member member, Matrix a) {
    Energies.raise(largest, member.energies());
    total += member.squaredNorm();
  }

  @Override
  public void close() {
    head.close();
  }
}
