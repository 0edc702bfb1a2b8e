package dev.smelt.merge.sparse;

/** Finds the largest keys by counting the digits of their bits, the highest first. */
final class Digits {

  /** Of a digit; four of them are a key. */
  private static final int BITS = 16;

  private Digits() {}

  /**
   * @param count how many of the largest, 1 … elements
   */
  static Cut cut(Keys keys, long count) {
    long prefix = 0;
    long left = count;
    long ties = 0;
    for (int shift = Long.SIZE - BITS; shift >= 0; shift -= BITS) {
      long[] bins = count(keys, shift, prefix);
      int bin = bins.length - 1;
      while (left > bins[bin]) {
        left -= bins[bin--];
      }
      prefix = (prefix << BITS) | bin;
      ties = bins[bin];
    }
    double limit = Double.longBitsToDouble(prefix);
    return new Cut(limit, left == ties ? Long.MAX_VALUE : Largest.place(keys, limit, left, 0));
  }

  /** Of keys with these digits above, by their next one. */
  private static long[] count(Keys keys, int shift, long prefix) {
    long[] bins = new long[1 << BITS];
    double[] chunk = new double[(int) Math.min(Largest.CHUNK, keys.elements())];
    for (long at = 0; at < keys.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, keys.elements() - at);
      keys.read(at, count, chunk);
      for (int k = 0; k < count; k++) {
        long digits = Double.doubleToRawLongBits(chunk[k]) >>> shift;
        if (digits >>> BITS == prefix) {
          bins[(int) digits & (bins.length - 1)]++;
        }
      }
    }
    return bins;
  }
}
