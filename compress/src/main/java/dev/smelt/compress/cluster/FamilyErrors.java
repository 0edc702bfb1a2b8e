package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.LinearAlgebra;
import java.util.ArrayList;
import java.util.List;

/**
 * What one basis for a whole family of blocks costs at every rank.
 *
 * @see Clusterer
 */
public final class FamilyErrors {

  private final double[] energies;
  private final double[] largest;
  private final double total;

  private FamilyErrors(double[] energies, double[] largest, double total) {
    this.energies = energies;
    this.largest = largest;
    this.total = total;
  }

  /**
   * @param blocks of equally many rows, at least one
   */
  public static FamilyErrors of(LinearAlgebra algebra, List<Block> blocks) {
    List<Member> members = new ArrayList<>();
    for (Block block : blocks) {
      members.add(Member.of(algebra, members.size(), block, false));
    }
    try (LinearAlgebra inner = algebra.inner()) {
      UnionSpectrum spectrum = UnionSpectrum.of(inner, members);
      double[] largest = new double[spectrum.values().length];
      for (Member member : members) {
        Energies.raise(largest, member.energies());
      }
      return new FamilyErrors(spectrum.values(), largest, spectrum.total());
    }
  }

  /** e_r/τ. */
  public double relativeError(int rank) {
    return Math.sqrt(Energies.tail(energies, rank) / total);
  }

  /** What it is at most by σᵢ(M) ≥ max_j σᵢ(A_j). */
  public double bound(int rank) {
    return Math.sqrt(Energies.left(total, largest, rank) / total);
  }
}
