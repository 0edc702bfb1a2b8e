package dev.smelt.formats.codec;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Integers of 8 bits with a scale for each row: X[i,j] = q[i,j]·s[i], row-major.
 *
 * <table>
 * <caption>Layout of n rows of m values</caption>
 * <tr><th>part</th><th>bytes</th><th>content</th></tr>
 * <tr><td>q</td><td>n·m</td><td>signed, from −127 to 127; −128 is read, never written</td></tr>
 * <tr><td>s</td><td>4·n</td><td>f32, little-endian, finite and at least 0</td></tr>
 * </table>
 *
 * <p>s is the smallest f32 with 127·s ≥ max|X[i,·]|, so nothing is clipped, and 0 for a row of
 * zeros. q is the integer nearest to X/s, ties to even, exactly. So |X − q·s| ≤ s/2 for each value.
 */
public final class ScaledInts {

  /** Symmetric, so that −X has −q. */
  static final int LARGEST = 127;

  private static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private ScaledInts() {}

  /**
   * @param name of the tensor, for a refusal
   * @param values n·m, row-major
   * @param ints n·m bytes
   * @param scales 4·n bytes
   * @throws NonFiniteException at a NaN or an infinity
   * @throws LimitException when a row has no scale in f32 that keeps its values in the range of f32
   */
  public static void encode(
      String name, double[] values, int rows, MemorySegment ints, MemorySegment scales) {
    int width = rows == 0 ? 0 : values.length / rows;
    for (int row = 0; row < rows; row++) {
      int start = row * width;
      float scale = scale(name, values, start, width);
      scales.set(F32, (long) row * Float.BYTES, scale);
      for (int i = start; i < start + width; i++) {
        ints.set(ValueLayout.JAVA_BYTE, i, quotient(values[i], scale));
      }
    }
  }

  private static float scale(String name, double[] values, int start, int width) {
    double largest = 0;
    for (int i = start; i < start + width; i++) {
      if (!Double.isFinite(values[i])) {
        throw new NonFiniteException(
            "non-finite value",
            name,
            "found " + values[i] + " at index " + i + ", which scaled integers lack",
            "store it as floats");
      }
      largest = Math.max(largest, Math.abs(values[i]));
    }
    float scale = (float) (largest / LARGEST);
    // The product has 31 bits and is exact.
    if ((double) scale * LARGEST < largest) {
      scale = Math.nextUp(scale);
    }
    if (Float.isInfinite(scale * LARGEST)) {
      throw new LimitException(
          "value out of range",
          name,
          "found a row with " + largest + ", beyond integers with a scale in f32",
          "store it as f64");
    }
    return scale;
  }

  /** The integer nearest to x/s, ties to even. */
  private static byte quotient(double x, float s) {
    double size = Math.abs(x);
    if (size == 0) {
      return 0;
    }
    int below = (int) (size / s);
    // The middle has 33 bits at most: it is exact where a rounded quotient may hide a tie.
    double middle = (below + 0.5) * s;
    boolean up = size > middle || (size == middle && (below & 1) == 1);
    int q = up ? below + 1 : below;
    return (byte) (x < 0 ? -q : q);
  }

  /**
   * Values {@code first … first+count-1}, exact.
   *
   * @param width m
   */
  public static void decode(
      MemorySegment ints,
      MemorySegment scales,
      long width,
      long first,
      int count,
      double[] target) {
    int at = 0;
    while (at < count) {
      long row = (first + at) / width;
      int end = (int) Math.min(count, (row + 1) * width - first);
      double scale = scales.get(F32, row * Float.BYTES);
      for (; at < end; at++) {
        target[at] = ints.get(ValueLayout.JAVA_BYTE, first + at) * scale;
      }
    }
  }

  /** As the other, rounded once to f32. */
  public static void decode(
      MemorySegment ints, MemorySegment scales, long width, long first, int count, float[] target) {
    int at = 0;
    while (at < count) {
      long row = (first + at) / width;
      int end = (int) Math.min(count, (row + 1) * width - first);
      float scale = scales.get(F32, row * Float.BYTES);
      for (; at < end; at++) {
        target[at] = ints.get(ValueLayout.JAVA_BYTE, first + at) * scale;
      }
    }
  }
}
