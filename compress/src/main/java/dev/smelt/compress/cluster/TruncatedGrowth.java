package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;
import java.util.Optional;

/** By a {@link TruncatedSum}: its estimate is a bound, and nearly the error itself. */
final class TruncatedGrowth implements Growth {

  private final LinearAlgebra owner;
  private final int rank;
  private TruncatedSum sum;

  /**
   * @param owner workspace that outlives this
   */
  TruncatedGrowth(LinearAlgebra owner, TruncatedSum head, int rank) {
    this.owner = owner;
    this.rank = rank;
    this.sum = head;
  }

  @Override
  public double total() {
    return sum.total();
  }

  @Override
  public double bound() {
    return sum.estimate(rank);
  }

  @Override
  public double lowerBound() {
    return sum.lowerBound(rank);
  }

  @Override
  public Optional<Ledger> ledger() {
    double kept = Arrays.stream(sum.values()).sum();
    return Optional.of(new Ledger(sum.total(), kept, sum.discarded()));
  }

  @Override
  public double boundWith(LinearAlgebra algebra, Member member, Matrix a) {
    return sum.estimateWith(algebra, a, member.squaredNorm(), rank);
  }

  @Override
  public void add(LinearAlgebra algebra, Member member, Matrix a) {
    TruncatedSum next = sum.plus(owner, a, member.squaredNorm());
    sum.close();
    sum = next;
  }

  /** All blocks so far. */
  TruncatedSum sum() {
    return sum;
  }

  @Override
  public void close() {
    sum.close();
  }
}
