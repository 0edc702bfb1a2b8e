package dev.smelt.merge.sparse;

import java.util.SplittableRandom;

/** Hoare's selection, in parts that are below, equal to and above a pivot. */
final class Select {

  private Select() {}

  /**
   * The value that would be at a place of the array if it were sorted, which is reordered. Pivots
   * are drawn, always the same ones, so that no order of values makes it slow.
   */
  static long smallest(long[] values, int rank) {
    SplittableRandom random = new SplittableRandom(values.length);
    int from = 0;
    int to = values.length;
    while (true) {
      long pivot = values[random.nextInt(from, to)];
      int below = from;
      int above = to;
      for (int k = from; k < above; ) {
        long value = values[k];
        if (value < pivot) {
          values[k++] = values[below];
          values[below++] = value;
        } else if (value > pivot) {
          values[k] = values[--above];
          values[above] = value;
        } else {
          k++;
        }
      }
      if (rank < below) {
        to = below;
      } else if (rank >= above) {
        from = above;
      } else {
        return pivot;
      }
    }
  }
}
