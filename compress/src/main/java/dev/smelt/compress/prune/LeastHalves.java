package dev.smelt.compress.prune;

import dev.smelt.formats.TensorView;

/**
 * The weights of least magnitude of a tensor of two-byte floats. Only where to cut is kept, so that
 * a tensor is pruned while it is read.
 */
final class LeastHalves extends Mask {

  private final TensorView weight;
  private final int limit;
  private final long edge;
  private final Change change;

  /**
   * @param limit magnitudes below it go
   * @param edge those that equal it go where they stand before this weight
   * @param zeros how many that makes
   */
  LeastHalves(TensorView weight, int limit, long edge, long zeros, Change change) {
    super(weight.elements(), zeros);
    this.weight = weight;
    this.limit = limit;
    this.edge = edge;
    this.change = change;
  }

  /** What it does to the tensor. */
  Change change() {
    return change;
  }

  @Override
  long word(long index) {
    long first = index * Long.SIZE;
    int count = (int) Math.min(Long.SIZE, elements() - first);
    long bits = 0;
    for (int i = 0; i < count; i++) {
      bits |= goes(first + i, Halves.magnitude(weight, first + i)) ? 1L << i : 0;
    }
    return bits;
  }

  private boolean goes(long index, int magnitude) {
    return magnitude < limit || (magnitude == limit && index < edge);
  }

  /**
   * Sets to 0 what goes, four at a time.
   *
   * @param words of weights {@code first … first+count-1}
   */
  void clear(long first, int count, long[] words) {
    int length = Math.ceilDiv(count, Halves.IN_WORD);
    if (edge <= first) {
      clearBelow(words, length, limit);
    } else if (edge >= first + count) {
      clearBelow(words, length, limit + 1);
    } else {
      for (int i = 0; i < count; i++) {
        int shift = i % Halves.IN_WORD * Short.SIZE;
        int at = i / Halves.IN_WORD;
        if (goes(first + i, (int) (words[at] >>> shift) & Halves.MAGNITUDE)) {
          words[at] &= ~(Halves.ELEMENT << shift);
        }
      }
    }
  }

  /**
   * Sums of a magnitude and a distance leave the sign bit free, which says whether one is below.
   */
  private static void clearBelow(long[] words, int length, int bound) {
    long distance = Halves.repeat(Halves.SIGN - bound);
    for (int i = 0; i < length; i++) {
      long below =
          (~((words[i] & Halves.MAGNITUDES) + distance) & Halves.SIGNS) >>> (Short.SIZE - 1);
      // 1 in the lowest bit of an element becomes ones in all of its bits.
      words[i] &= ~((below << Short.SIZE) - below);
    }
  }
}
