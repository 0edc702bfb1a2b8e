package dev.smelt.formats.codec;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UnsupportedException;
import java.lang.foreign.MemorySegment;

/**
 * Rounds the values of one tensor to its type, once, and says which value does not fit.
 *
 * @see FloatCodec
 */
public final class TensorEncoder {

  private final TensorInfo info;
  private final FloatCodec codec;

  /**
   * @throws UnsupportedException when the type holds no real floats
   */
  public TensorEncoder(TensorInfo info) {
    this.info = info;
    this.codec =
        FloatCodec.of(info.dtype())
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        "cannot write numbers as " + info.dtype().label(),
                        info.name(),
                        "",
                        "choose a float --dtype"));
  }

  /**
   * Encodes {@code values[0 … count-1]}, which are the elements {@code first …} of the tensor, as
   * elements {@code place …} of {@code target}.
   *
   * @throws LimitException when a finite value is beyond the type's range
   * @throws NonFiniteException when a value is a NaN or an infinity that the type lacks
   */
  public void encode(double[] values, int count, long first, MemorySegment target, long place) {
    int bad = codec.encode(values, count, target, place);
    if (bad >= 0) {
      throw unfit(values[bad], first + bad);
    }
  }

  /** As {@link #encode(double[], int, long, MemorySegment, long)} from f32 values. */
  public void encode(float[] values, int count, long first, MemorySegment target, long place) {
    int bad = codec.encode(values, count, target, place);
    if (bad >= 0) {
      throw unfit(values[bad], first + bad);
    }
  }

  /** A whole tensor, row-major. */
  public void encode(double[] values, MemorySegment target) {
    encode(values, values.length, 0, target, 0);
  }

  private RuntimeException unfit(double value, long index) {
    String type = info.dtype().label();
    if (!Double.isFinite(value)) {
      return new NonFiniteException(
          "non-finite value",
          info.name(),
          "found " + value + " at index " + index + ", which " + type + " lacks",
          "choose a wider --dtype");
    }
    return new LimitException(
        "value out of range",
        info.name(),
        "found " + value + " at index " + index + ", beyond " + type,
        "choose a wider --dtype");
  }
}
