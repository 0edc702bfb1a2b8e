package dev.smelt.compress.prune;

import dev.smelt.formats.NonFiniteException;

/**
 * Scores of a tensor's weights as whole numbers of the same order, from 0 on. Ranges that are asked
 * for start at multiples of 64; several threads may ask at a time.
 */
sealed interface Keys permits ScoreKeys, HalfKeys {

  /** A digit of a key, by which keys are counted; the first one may be shorter. */
  int DIGIT_BITS = 16;

  /** Keys are below 2 to this. */
  int bits();

  long elements();

  /**
   * Counts by their next digit those keys that begin with {@code prefix}.
   *
   * @param shift how many bits follow the digit
   * @param prefix the bits before it
   * @param bins to which the counts are added, by digit
   * @throws NonFiniteException when a weight or a score is no finite number
   */
  void count(long first, int count, int shift, long prefix, long[] bins);

  int countEqual(long first, int count, long key);

  /**
   * Marks keys below {@code limit}, and the first {@code ties} of those that equal it.
   *
   * @param ties from the start of this range on
   */
  void mark(long first, int count, long limit, long ties, Mask.Builder mask);
}
