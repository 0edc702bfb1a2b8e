package dev.smelt.compress.cluster;

import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Optional;

/**
 * A cluster that grows block by block, with what its best basis of r directions leaves at most:
 * e_r² ≤ {@link #bound}.
 */
sealed interface Growth extends AutoCloseable
    permits MaxNormGrowth, ResidualGrowth, TruncatedGrowth {

  /** τ² = Σ‖A_j‖². */
  double total();

  /** What e_r² is at most. */
  double bound();

  /** What e_r² is at least; 0 where nothing is known. */
  default double lowerBound() {
    return 0;
  }

  /** What was kept and lost, where a truncated sum is kept. */
  default Optional<Ledger> ledger() {
    return Optional.empty();
  }

  /** The bound with one more block. */
  double boundWith(LinearAlgebra algebra, Member member, Matrix a);

  /** Takes the block. */
  void add(LinearAlgebra algebra, Member member, Matrix a);

  @Override
  void close();
}
