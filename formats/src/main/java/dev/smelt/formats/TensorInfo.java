package dev.smelt.formats;

import java.util.Optional;

/** What is known of a tensor without reading it. */
public record TensorInfo(String name, DType dtype, Shape shape) {

  /** No framework makes tensors of more axes; keeps a hostile list of sizes short. */
  public static final int MAX_RANK = 64;

  public long elements() {
    return shape.elements();
  }

  public long bytes() {
    return dtype.bytes(shape.elements());
  }

  /**
   * The same tensor with its floats in another type, if one is given; others stay what they are.
   */
  public TensorInfo withFloatsAs(Optional<DType> other) {
    return dtype.isFloat() && other.isPresent() ? as(other.get()) : this;
  }

  /** The same tensor stored as another type. */
  public TensorInfo as(DType other) {
    return new TensorInfo(name, other, shape);
  }
}
