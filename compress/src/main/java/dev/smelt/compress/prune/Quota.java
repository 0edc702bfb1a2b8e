package dev.smelt.compress.prune;

/** How many weights of a layer go, and where. */
sealed interface Quota {

  /** The smallest of the whole tensor. */
  record OfTensor(long zeros) implements Quota {}

  /**
   * The smallest of each row; the first rows lose one more where the number does not divide.
   *
   * @param zeros of all rows together
   */
  record OfRows(long zeros) implements Quota {

    int ofRow(int row, int rows) {
      return (int) (zeros / rows + (row < zeros % rows ? 1 : 0));
    }
  }

  /** The smallest of each group of a row. */
  record OfGroups(Pattern.Groups groups) implements Quota {}
}
