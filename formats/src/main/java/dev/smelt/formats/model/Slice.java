package dev.smelt.formats.model;

import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Rows or columns of a matrix: of each of several groups the same run, g·stride + first … g·stride
 * + first + count − 1 for g = 0 … groups − 1.
 *
 * @param count taken of a group
 * @param stride from the first of a group to the first of the next; without effect where there is
 *     one group
 */
public record Slice(Axis axis, int first, int count, int stride, int groups) {

  /** A bit each is kept while slices are checked; no layer has so many outputs or inputs. */
  private static final int MAX_INDICES = 1 << 26;

  /**
   * @throws IllegalArgumentException when indices would overlap, be negative or beyond an int
   */
  public Slice {
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
      throw new IllegalArgumentException(axis + " beyond " + Integer.MAX_VALUE);
    }
  }

  /** Indices that follow each other. */
  public static Slice range(Axis axis, int first, int count) {
    return new Slice(axis, first, count, count, 1);
  }

  /**
   * @param slices of one matrix, at least one
   * @throws IllegalArgumentException when they do not have every row once, or every column
   */
  static void requireEachOnce(List<Slice> slices) {
    Axis axis = slices.getFirst().axis();
    require(
        slices.stream().allMatch(slice -> slice.axis() == axis),
        "some parts are rows, others columns");
    long size = slices.stream().mapToLong(Slice::size).sum();
    int end = slices.stream().mapToInt(Slice::end).max().orElse(0);
    require(end <= MAX_INDICES, axis + " up to " + end + ", at most " + MAX_INDICES);
    require(
        size == end,
        String.format(
            "parts of %d %s together, the last %s is %d", size, axis, axis.word(), end - 1));
    BitSet taken = new BitSet(end);
    slices.forEach(slice -> slice.stream().forEach(taken::set));
    int missing = taken.nextClearBit(0);
    require(missing >= end, axis.word() + " " + missing + " is in no part");
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalArgumentException(otherwise);
    }
  }

  /** How many rows or columns. */
  public int size() {
    return count * groups;
  }

  /** Whether they follow each other, from {@link #first} on. */
  public boolean isRange() {
    return groups == 1 || stride == count;
  }

  /** Which rows or columns, ascending. */
  public int[] indices() {
    return stream().toArray();
  }

  /** Which rows or columns, ascending. */
  IntStream stream() {
    return IntStream.range(0, size()).map(i -> i / count * stride + first + i % count);
  }

  /** The index after the last one. */
  public int end() {
    return (groups - 1) * stride + first + count;
  }
}
