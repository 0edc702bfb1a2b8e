package dev.smelt.merge.sparse;

import dev.smelt.merge.sparse.Largest.Bracket;
import java.util.Arrays;
import java.util.Optional;

/**
 * What one pass over keys finds: how many are above a bracket, how many equal its ends, and, in
 * their order, those inside.
 */
final class Tally {

  private final Keys keys;
  private final Bracket bracket;
  private final int most;

  /** Up to the beginning of each chunk: keys that equal the ends, and keys inside. */
  private final long[] lows;

  private final long[] highs;
  private final int[] starts;

  private long above;
  private long low;
  private long high;
  private long[] inside = new long[Largest.CHUNK];
  private int found;

  private Tally(Keys keys, Bracket bracket, int most) {
    this.keys = keys;
    this.bracket = bracket;
    this.most = most;
    int chunks = Math.toIntExact(Math.ceilDiv(keys.elements(), (long) Largest.CHUNK));
    this.lows = new long[chunks + 1];
    this.highs = new long[chunks + 1];
    this.starts = new int[chunks + 1];
  }

  /**
   * Counts.
   *
   * @param most keys inside the bracket
   * @return nothing where there are more
   */
  static Optional<Tally> of(Keys keys, Bracket bracket, int most) {
    Tally tally = new Tally(keys, bracket, most);
    return tally.count() ? Optional.of(tally) : Optional.empty();
  }

  private boolean count() {
    double[] chunk = new double[(int) Math.min(Largest.CHUNK, keys.elements())];
    for (int i = 0; i + 1 < starts.length; i++) {
      long at = (long) i * Largest.CHUNK;
      int count = (int) Math.min(chunk.length, keys.elements() - at);
      keys.read(at, count, chunk);
      if (found + (long) count > inside.length) {
        inside = Arrays.copyOf(inside, 2 * inside.length + count);
      }
      add(chunk, count);
      if (found > most) {
        return false;
      }
      starts[i + 1] = found;
      lows[i + 1] = low;
      highs[i + 1] = high;
    }
    return true;
  }

  private void add(double[] chunk, int count) {
    long least = bracket.low();
    long largest = bracket.high();
    long width = largest - least;
    long over = 0;
    for (int k = 0; k < count; k++) {
      over += (largest - Double.doubleToRawLongBits(chunk[k])) >>> 63;
    }
    above += over;
    for (int k = 0; k < count; k++) {
      long key = Double.doubleToRawLongBits(chunk[k]);
      // Both comparisons at once: what is below has wrapped around.
      if (Long.compareUnsigned(key - least, width) <= 0) {
        if (key == largest) {
          high++;
        } else if (key == least) {
          low++;
        } else {
          inside[found++] = key;
        }
      }
    }
  }

  /**
   * @return nothing where the limit is not in the bracket
   */
  Optional<Cut> cut(long count) {
    long left = count - above;
    if (left <= 0 || left > high + found + low) {
      return Optional.empty();
    }
    if (left <= high) {
      return Optional.of(cut(bracket.high(), left, highs));
    }
    left -= high;
    if (left > found) {
      return Optional.of(cut(bracket.low(), left - found, lows));
    }
    long limit = Select.smallest(Arrays.copyOf(inside, found), found - (int) left);
    for (int j = 0; j < found; j++) {
      left -= inside[j] > limit ? 1 : 0;
    }
    return Optional.of(cut(limit, left, ties(limit)));
  }

  /** Up to the beginning of each chunk, of keys inside. */
  private long[] ties(long limit) {
    long[] ties = new long[starts.length];
    for (int i = 0; i + 1 < starts.length; i++) {
      ties[i + 1] = ties[i];
      for (int j = starts[i]; j < starts[i + 1]; j++) {
        ties[i + 1] += inside[j] == limit ? 1 : 0;
      }
    }
    return ties;
  }

  /**
   * @param n how many of the keys that equal the limit are wanted, from 1
   * @param ties how many there are up to the beginning of each chunk
   */
  private Cut cut(long limit, long n, long[] ties) {
    double key = Double.longBitsToDouble(limit);
    if (n == ties[ties.length - 1]) {
      return new Cut(key, Long.MAX_VALUE);
    }
    int chunk = 0;
    while (ties[chunk + 1] < n) {
      chunk++;
    }
    return new Cut(key, Largest.place(keys, key, n - ties[chunk], (long) chunk * Largest.CHUNK));
  }
}
