package dev.smelt.compress.prune;

import dev.smelt.formats.DType;

/**
 * Makes weights of two bytes zero, four at a time, and counts on the way how often each magnitude
 * stays and goes. There are so few of them that sums over all weights follow from the counts.
 */
final class HalfCensus {

  /** For each set of elements of a word all bits of these. */
  private static final long[] SETS = sets();

  private final Mask mask;

  /** By magnitude, those that go behind those that stay. */
  private final int[] counts = new int[Halves.SIGN * 2];

  HalfCensus(Mask mask) {
    this.mask = mask;
  }

  private static long[] sets() {
    long[] sets = new long[1 << Halves.IN_WORD];
    for (int set = 0; set < sets.length; set++) {
      for (int i = 0; i < Halves.IN_WORD; i++) {
        sets[set] |= ((set >>> i) & 1) == 0 ? 0 : Halves.ELEMENT << (i * Short.SIZE);
      }
    }
    return sets;
  }

  /**
   * @param first a multiple of 64
   * @param words of weights {@code first … first+count-1}, from now on without those that go
   */
  void clear(long first, int count, long[] words) {
    int length = Math.ceilDiv(count, Halves.IN_WORD);
    int each = Long.SIZE / Halves.IN_WORD;
    for (int from = 0; from < length; from += each) {
      long gone = mask.word(first / Long.SIZE + from / each);
      int end = Math.min(length, from + each);
      for (int i = from; i < end; i++) {
        words[i] = take(words[i], (int) gone & (SETS.length - 1));
        gone >>>= Halves.IN_WORD;
      }
    }
    // Elements that only fill up the last word are zeros that stay.
    counts[0] -= length * Halves.IN_WORD - count;
  }

  private long take(long word, int gone) {
    long set = SETS[gone];
    long keys = (word & Halves.MAGNITUDES) | (set & Halves.SIGNS);
    counts[(int) (keys & Halves.ELEMENT)]++;
    counts[(int) ((keys >>> Short.SIZE) & Halves.ELEMENT)]++;
    counts[(int) ((keys >>> (2 * Short.SIZE)) & Halves.ELEMENT)]++;
    counts[(int) (keys >>> (3 * Short.SIZE))]++;
    return word & ~set;
  }

  /** Of all that was cleared. */
  Change change(DType type) {
    return Halves.change(
        type,
        magnitude -> (long) counts[magnitude] + counts[magnitude | Halves.SIGN],
        magnitude -> counts[magnitude | Halves.SIGN]);
  }
}
