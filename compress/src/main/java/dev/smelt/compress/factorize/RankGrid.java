package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.UsageException;

/**
 * Which ranks may be chosen at all.
 *
 * @param multiple ranks are multiples of it, as processors like them
 * @param allowLarger also ranks whose factors have no fewer elements than the matrix
 */
public record RankGrid(int multiple, boolean allowLarger) {

  public RankGrid {
    if (multiple < 1) {
      throw new UsageException("--rank-multiple " + multiple + " is out of range", "use 1 or more");
    }
  }

  /** The largest rank that may be chosen, 0 if there is none. */
  int largest(Layer layer) {
    int limit = allowLarger ? layer.fullRank() : layer.breakEven();
    return limit - limit % multiple;
  }

  /** The nearest rank that may be chosen, not above {@code rank} unless that would be 0. */
  int down(int rank) {
    return Math.max(multiple, rank - rank % multiple);
  }

  /** The nearest multiple, not below {@code rank}. */
  int up(int rank) {
    return Math.ceilDiv(rank, multiple) * multiple;
  }
}
