package dev.smelt.merge.recipe;

/**
 * Blocks of a network.
 *
 * @param from the first, counted from 0
 * @param to one after the last
 */
public record LayerRange(int from, int to) {

  public int size() {
    return to - from;
  }

  @Override
  public String toString() {
    return "[" + from + ", " + to + "]";
  }
}
