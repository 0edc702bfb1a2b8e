package dev.smelt.formats.model;

import java.util.stream.IntStream;

/**
 * Rows of a matrix: of each of several groups the same run, g·stride + first … g·stride + first +
 * count − 1 for g = 0 … groups − 1.
 *
 * @param count rows taken of a group
 * @param stride rows from the first of a group to the first of the next; without effect where there
 *     is one group
 */
public record RowSet(int first, int count, int stride, int groups) {

  /**
   * @throws IllegalArgumentException when rows would overlap, be negative or beyond an int
   */
  public RowSet {
    if (first < 0 || count < 1 || groups < 1 || stride < count) {
      throw new IllegalArgumentException(
          "expected first >= 0, count >= 1, stride >= count and groups >= 1, found "
              + first
              + ", "
              + count
              + ", "
              + stride
              + ", "
              + groups);
    }
    if ((groups - 1L) * stride + first + count > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("rows beyond " + Integer.MAX_VALUE);
    }
  }

  /** Rows that follow each other. */
  public static RowSet range(int first, int count) {
    return new RowSet(first, count, count, 1);
  }

  /** How many rows. */
  public int size() {
    return count * groups;
  }

  /** Which rows, ascending. */
  public int[] indices() {
    return stream().toArray();
  }

  /** Which rows, ascending. */
  IntStream stream() {
    return IntStream.range(0, size()).map(i -> i / count * stride + first + i % count);
  }

  /** The row after the last one. */
  public int end() {
    return (groups - 1) * stride + first + count;
  }
}
