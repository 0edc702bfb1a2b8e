package dev.smelt.merge.sparse;

import dev.smelt.merge.method.Chunk;

/** What is left of changes, all models at once. Called by several threads at a time. */
@FunctionalInterface
interface Thinner {

  /**
   * Fills {@code factors[i][k]}, by which the change of model i (the base not counted) is
   * multiplied in element {@code chunk.first() + at + k}: 0 where it is left out.
   */
  void fill(Chunk chunk, int at, int count, double[][] factors);
}
