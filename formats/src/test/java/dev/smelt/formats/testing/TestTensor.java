package dev.smelt.formats.testing;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;

/** A tensor as its stored bytes: little-endian, row-major. */
public final class TestTensor {

  private final String name;
  private final DType dtype;
  private final Shape shape;
  private final byte[] bytes;

  /** The bytes are taken as they are, also when they do not fit the shape. */
  public TestTensor(String name, DType dtype, Shape shape, byte[] bytes) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.bytes = bytes.clone();
  }

  public String name() {
    return name;
  }

  public DType dtype() {
    return dtype;
  }

  public Shape shape() {
    return shape;
  }

  public byte[] bytes() {
    return bytes.clone();
  }

  public TensorInfo info() {
    return new TensorInfo(name, dtype, shape);
  }

  public TestTensor renamed(String other) {
    return new TestTensor(other, dtype, shape, bytes);
  }
}
