package dev.smelt.formats;

/** What is known of a tensor without reading it. */
public record TensorInfo(String name, DType dtype, Shape shape) {

  public long elements() {
    return shape.elements();
  }

  public long bytes() {
    return dtype.bytes(shape.elements());
  }

  /** The same tensor stored as another type. */
  public TensorInfo as(DType other) {
    return new TensorInfo(name, other, shape);
  }
}
