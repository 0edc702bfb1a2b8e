package dev.smelt.merge.sparse;

/**
 * Finds the largest keys of a tensor without sorting or keeping them: a sample says between which
 * two numbers the limit should be, and one pass counts what is above and collects what is between.
 * Where a sample misleads, or there is too much between, keys are counted digit by digit. Either
 * way the result is exact.
 */
final class Largest {

  /** Elements read at a time: two arrays of this length fit the L2 cache. */
  static final int CHUNK = 1 << 14;

  /** Up to here all keys are collected: 512 KiB. */
  private static final int SMALL = 1 << 16;

  /** Keys that are collected at most: 32 MiB. */
  private static final int MOST = 1 << 22;

  private Largest() {}

  /**
   * @param count how many, 0 … elements
   */
  static Cut of(Keys keys, long count) {
    return of(keys, count, SMALL, MOST);
  }

  /** With other limits, which change nothing in the result. */
  static Cut of(Keys keys, long count, int small, int most) {
    long elements = keys.elements();
    if (count == 0) {
      return Cut.NOTHING;
    }
    if (count == elements) {
      return Cut.EVERYTHING;
    }
    Bracket bracket = elements <= small ? Bracket.ALL : Sample.bracket(keys, count);
    return Tally.of(keys, bracket, most)
        .flatMap(tally -> tally.cut(count))
        .orElseGet(() -> Digits.cut(keys, count));
  }

  /**
   * Numbers between which a limit is looked for, as bits: those of numbers that are not negative
   * are in their order.
   */
  record Bracket(long low, long high) {

    static final long UNDER_ALL = -1;
    static final long OVER_ALL = Double.doubleToRawLongBits(Double.POSITIVE_INFINITY);
    static final Bracket ALL = new Bracket(UNDER_ALL, OVER_ALL);
  }

  /** The element with the n-th of the keys that equal a limit, n from 1, from an element on. */
  static long place(Keys keys, double limit, long n, long from) {
    double[] chunk = new double[(int) Math.min(CHUNK, keys.elements() - from)];
    long left = n;
    for (long at = from; at < keys.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, keys.elements() - at);
      keys.read(at, count, chunk);
      for (int k = 0; k < count; k++) {
        if (chunk[k] == limit && --left == 0) {
          return at + k;
        }
      }
    }
    throw new IllegalStateException("fewer keys of " + limit + " than were counted");
  }
}
