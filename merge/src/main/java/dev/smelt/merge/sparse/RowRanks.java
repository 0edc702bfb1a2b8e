package dev.smelt.merge.sparse;

import dev.smelt.formats.LimitException;
import dev.smelt.merge.method.Operand;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Where the change of an element stands, by its size, among those of its row: 0 for the smallest, 1
 * for the largest, between them evenly. Changes of equal size have the mean of their ranks; in a
 * row of one element, or whose changes all have the same size, each is half-way.
 *
 * <p>A row is what the last axis runs through; a tensor of one axis is one row. Rows are ranked
 * when they are asked for. The last one is kept, so that long rows need not be ranked anew for each
 * chunk of them: 8 bytes for each of its elements.
 */
final class RowRanks {

  /** Rows are arrays. */
  private static final long LONGEST = Integer.MAX_VALUE - 8;

  private final Operand base;
  private final Operand model;
  private final int length;
  private volatile @Nullable Row last;

  @SuppressWarnings("ArrayRecordComponent") // Made once, never compared.
  private record Row(long index, double[] ranks) {}

  RowRanks(Operand base, Operand model) {
    this.base = base;
    this.model = model;
    int rank = base.view().shape().rank();
    long elements = rank == 0 ? 1 : base.view().shape().size(rank - 1);
    if (elements > LONGEST) {
      throw new LimitException(
          "row too long to be ranked",
          base.where(),
          "has " + elements + " elements, at most " + LONGEST,
          "use another method for this tensor");
    }
    this.length = (int) elements;
  }

  /** Elements in a row. */
  int length() {
    return length;
  }

  double[] ranks(long row) {
    Row known = last;
    if (known == null || known.index() != row) {
      double[] keys = new double[length];
      new Changes(base, model).read(row * length, length, keys);
      known = new Row(row, of(keys));
      last = known;
    }
    return known.ranks();
  }

  static double[] of(double[] keys) {
    double[] sorted = keys.clone();
    Arrays.sort(sorted);
    double[] means = means(sorted);
    double[] ranks = new double[keys.length];
    for (int k = 0; k < keys.length; k++) {
      // Any of several equal ones will do.
      double rank = means[Arrays.binarySearch(sorted, keys[k])];
      ranks[k] = keys.length == 1 ? 0.5 : rank / (keys.length - 1);
    }
    return ranks;
  }

  /** Ranks from 0, of equal values the mean of theirs. */
  private static double[] means(double[] sorted) {
    double[] means = new double[sorted.length];
    for (int from = 0; from < sorted.length; ) {
      int to = from;
      while (to < sorted.length && sorted[to] == sorted[from]) {
        to++;
      }
      Arrays.fill(means, from, to, (from + to - 1) / 2.0);
      from = to;
    }
    return means;
  }
}
