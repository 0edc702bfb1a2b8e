package dev.smelt.compress.layer;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;

/**
 * How factors are stored.
 *
 * @param dtype of floats; or I8, with a scale in F32 for each row (of the first axis)
 */
public record FactorType(DType dtype) {

  /** Integers of 8 bits with scales. */
  public static final FactorType INT8 = new FactorType(DType.I8);

  /**
   * @throws IllegalArgumentException when factors cannot be stored as that
   */
  public FactorType {
    if (!dtype.isFloat() && dtype != DType.I8) {
      throw new IllegalArgumentException("no type of factors: " + dtype.label());
    }
  }

  public boolean isScaled() {
    return !dtype.isFloat();
  }

  /** Bytes of a factor, scales included. */
  public long bytes(Shape shape) {
    return dtype.bytes(shape.elements()) + (isScaled() ? DType.F32.bytes(shape.size(0)) : 0);
  }

  @Override
  public String toString() {
    return isScaled() ? "int8" : dtype.label();
  }
}
