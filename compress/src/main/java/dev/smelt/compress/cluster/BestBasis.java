package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.ArrayList;
import java.util.List;

/** The best bases of one family of blocks, of every rank, and what blocks take in them. */
public final class BestBasis {

  private final List<Member> members;
  private final ClusterOptions options;
  private final UnionSpectrum spectrum;
  private final int rank;
  private final long alone;

  private BestBasis(
      List<Member> members, ClusterOptions options, UnionSpectrum spectrum, int rank, long alone) {
    this.members = members;
    this.options = options;
    this.spectrum = spectrum;
    this.rank = rank;
    this.alone = alone;
  }

  /**
   * @param algebra in which the bases live
   * @param blocks of equally many rows, at least one
   */
  public static BestBasis of(LinearAlgebra algebra, List<Block> blocks, ClusterOptions options) {
    List<Member> members = new ArrayList<>();
    long alone = 0;
    for (Block block : blocks) {
      Member member = Member.of(algebra, members.size(), block, options.perBlock());
      members.add(member);
      alone += blocks.size() == 1 ? Costs.dense(block, options) : Costs.alone(member, options);
    }
    UnionSpectrum spectrum = UnionSpectrum.of(algebra, members);
    int rank = spectrum.rank(algebra, members, options);
    return new BestBasis(List.copyOf(members), options, spectrum, rank, alone);
  }

  /** The least rank that keeps the promise before anything is rounded. */
  public int rank() {
    return rank;
  }

  /** m, beyond which there are no directions. */
  public int largest() {
    return spectrum.values().length;
  }

  /** Q_r, m×r with orthonormal columns. */
  public Matrix directions(LinearAlgebra algebra, int count) {
    return algebra.leadingColumns(spectrum.vectors(), count);
  }

  /** Whether basis and coefficients cost less than the blocks otherwise. */
  public boolean paysAt(int count) {
    return Costs.shared(count, members, options) < alone;
  }
}
