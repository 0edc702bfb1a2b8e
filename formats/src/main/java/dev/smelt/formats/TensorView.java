package dev.smelt.formats;

import dev.smelt.formats.codec.FloatCodec;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * A tensor as it lies in a mapped file: little-endian, row-major, contiguous. Nothing is read until
 * a value is asked for. A view lives as long as the checkpoint it came from.
 */
public final class TensorView {

  private final TensorInfo info;
  private final MemorySegment segment;

  public TensorView(TensorInfo info, MemorySegment segment) {
    if (segment.byteSize() != info.bytes()) {
      throw new IllegalArgumentException(
          info.name() + " needs " + info.bytes() + " bytes, not " + segment.byteSize());
    }
    this.info = info;
    this.segment = segment.asReadOnly();
  }

  public TensorInfo info() {
    return info;
  }

  public String name() {
    return info.name();
  }

  public DType dtype() {
    return info.dtype();
  }

  public Shape shape() {
    return info.shape();
  }

  public long elements() {
    return info.elements();
  }

  /** The raw bytes, read-only. */
  public MemorySegment segment() {
    return segment;
  }

  /**
   * Decodes elements {@code first … first+count-1} into {@code target[0 … count-1]}. Exact for
   * every float type.
   *
   * @throws UnsupportedException when the tensor does not hold real floats
   */
  public void read(long first, int count, double[] target) {
    codec().decode(segment, first, count, target);
  }

  /** As {@link #read(long, int, double[])}, rounded to f32 where the tensor is f64. */
  public void read(long first, int count, float[] target) {
    codec().decode(segment, first, count, target);
  }

  /**
   * The whole tensor as f32, row-major.
   *
   * @throws LimitException when it has more elements than a Java array can hold
   */
  public float[] toFloats() {
    float[] values = new float[arrayLength()];
    read(0, values.length, values);
    return values;
  }

  /** The whole tensor as f64, row-major. */
  public double[] toDoubles() {
    double[] values = new double[arrayLength()];
    read(0, values.length, values);
    return values;
  }

  /** Row-major index of the first NaN or infinity, if the tensor holds floats and has one. */
  public Optional<Long> firstNonFinite() {
    return dtype().isFloat() ? codec().firstNonFinite(segment, elements()) : Optional.empty();
  }

  private FloatCodec codec() {
    return FloatCodec.of(info.dtype())
        .orElseThrow(
            () ->
                new UnsupportedException(
                    "not a floating-point tensor",
                    info.name(),
                    "has dtype " + info.dtype().label(),
                    "leave it out or keep it as it is"));
  }

  private int arrayLength() {
    if (elements() > Integer.MAX_VALUE - 8) {
      throw new LimitException(
          "tensor too large for one array",
          info.name(),
          "has " + elements() + " elements, at most " + (Integer.MAX_VALUE - 8),
          "process it in parts");
    }
    return (int) elements();
  }
}
