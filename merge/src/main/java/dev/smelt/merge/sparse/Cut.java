package dev.smelt.merge.sparse;

/**
 * Where to cut to have the largest of some keys: those above the limit, and of those that equal it
 * the ones that come first.
 *
 * @param last the last element whose key may equal the limit
 */
record Cut(double limit, long last) {

  static final Cut NOTHING = new Cut(Double.POSITIVE_INFINITY, -1);
  static final Cut EVERYTHING = new Cut(0, Long.MAX_VALUE);

  private static final long ONE = Double.doubleToRawLongBits(1);

  /** Turns keys into 1 for those that are among the largest, 0 for others. */
  void above(long first, int count, double[] keys) {
    int split = split(first, count);
    reach(keys, 0, split, Double.doubleToRawLongBits(limit), 0);
    reach(keys, split, count, Double.doubleToRawLongBits(limit) + 1, 0);
  }

  /** Turns keys into 0 for those that are among the largest, 1 for others. */
  void below(long first, int count, double[] keys) {
    int split = split(first, count);
    reach(keys, 0, split, Double.doubleToRawLongBits(limit), -1);
    reach(keys, split, count, Double.doubleToRawLongBits(limit) + 1, -1);
  }

  /** Before it keys that equal the limit are among the largest, from it on they are not. */
  private int split(long first, int count) {
    return Math.clamp(last == Long.MAX_VALUE ? count : last + 1 - first, 0, count);
  }

  /** Numbers that are not negative are in the order of their bits. Without branches, for speed. */
  private static void reach(double[] keys, int from, int to, long bound, long flip) {
    for (int k = from; k < to; k++) {
      long under = (Double.doubleToRawLongBits(keys[k]) - bound) >> 63;
      keys[k] = Double.longBitsToDouble(ONE & (~under ^ flip));
    }
  }
}
