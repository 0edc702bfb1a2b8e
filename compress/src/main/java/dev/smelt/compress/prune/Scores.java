package dev.smelt.compress.prune;

/**
 * What each weight of a tensor is worth, in the order in which the tensor is stored: those with the
 * smallest scores go first.
 */
@FunctionalInterface
public interface Scores {

  /**
   * Scores of weights {@code first … first+count-1} into {@code target[0 … count-1]}. None is
   * negative or NaN. May be called by several threads at a time.
   */
  void read(long first, int count, double[] target);
}
