package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;

/** What is to become of a layer. */
public sealed interface RankChoice {

  /** Two factors. */
  record Factors(int rank) implements RankChoice {
    public Factors {
      if (rank < 1) {
        throw new IllegalArgumentException("rank " + rank);
      }
    }
  }

  /**
   * It stays what it is.
   *
   * @param reason for the user
   */
  record Dense(String reason) implements RankChoice {}

  /** Factors of this rank if the grid has it and they are smaller. */
  static RankChoice of(int rank, Layer layer, RankGrid grid) {
    if (rank > layer.fullRank()) {
      return new Dense("no multiple of " + grid.multiple() + " is a rank of it");
    }
    return grid.allowLarger() || layer.isSmallerAt(rank)
        ? new Factors(rank)
        : new Dense("factors of rank " + rank + " would not be smaller");
  }
}
