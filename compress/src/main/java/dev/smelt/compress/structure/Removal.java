package dev.smelt.compress.structure;

import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * What is left out of a layer, or which blocks of the model.
 *
 * @param layer the module whose inputs the units are; of blocks, the path before their numbers
 * @param of how many there are
 * @param gone their numbers, ascending
 */
public record Removal(String layer, int of, List<Integer> gone) {
  public Removal {
    gone = List.copyOf(gone);
  }

  public int count() {
    return gone.size();
  }

  public int left() {
    return of - gone.size();
  }

  /** Numbers of those that stay, ascending. */
  int[] unitsLeft() {
    Set<Integer> without = Set.copyOf(gone);
    return IntStream.range(0, of).filter(unit -> !without.contains(unit)).toArray();
  }
}
