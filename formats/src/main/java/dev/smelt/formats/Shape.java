package dev.smelt.formats;

import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** The sizes of a tensor's axes, outermost first; rank 0 is a scalar of one element. */
public final class Shape {

  private final long[] sizes;
  private final long elements;

  private Shape(long[] sizes) {
    long product = 1;
    for (long size : sizes) {
      if (size < 0) {
        throw new IllegalArgumentException("negative size " + size);
      }
      product = Math.multiplyExact(product, size);
    }
    this.sizes = sizes;
    this.elements = product;
  }

  /**
   * @throws IllegalArgumentException when a size is negative
   * @throws ArithmeticException when the product overflows a long
   */
  public static Shape of(long... sizes) {
    return new Shape(sizes.clone());
  }

  public int rank() {
    return sizes.length;
  }

  public long size(int axis) {
    return sizes[axis];
  }

  public LongStream sizes() {
    return Arrays.stream(sizes);
  }

  public long elements() {
    return elements;
  }

  public boolean isMatrix() {
    return sizes.length == 2;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape that && Arrays.equals(sizes, that.sizes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(sizes);
  }

  /** As in a safetensors header: {@code [768,3072]}. */
  @Override
  public String toString() {
    return sizes().mapToObj(Long::toString).collect(Collectors.joining(",", "[", "]"));
  }
}
