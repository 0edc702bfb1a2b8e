package dev.smelt.formats.codec;

import dev.smelt.formats.DType;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Turns the stored bits of one floating-point type into numbers and back.
 *
 * <p>Decoding is exact (into {@code float[]} it rounds f64 only). Encoding rounds the f64 value
 * once, to nearest, ties to even; a finite value beyond the type's largest number is a range error,
 * never an infinity or a NaN, and NaN and infinities encode only where the type has them.
 */
public interface FloatCodec {

  /** The codec of {@code type}, empty for types that hold no real floats. */
  static Optional<FloatCodec> of(DType type) {
    return Optional.ofNullable(Codecs.TABLE.get(type));
  }

  void decode(MemorySegment source, long first, int count, double[] target);

  void decode(MemorySegment source, long first, int count, float[] target);

  /**
   * Encodes {@code values[0 … count-1]} as elements {@code first …} of {@code target}.
   *
   * @return the index in {@code values} of the first one that the type cannot hold, or -1 when all
   *     were written; with an index, the content of {@code target} is undefined
   */
  int encode(double[] values, int count, MemorySegment target, long first);

  /** As {@link #encode(double[], int, MemorySegment, long)} from f32 values. */
  int encode(float[] values, int count, MemorySegment target, long first);

  /** Index of the first NaN or infinity among {@code count} elements. */
  default Optional<Long> firstNonFinite(MemorySegment source, long count) {
    float[] chunk = new float[(int) Math.min(count, 8192)];
    for (long at = 0; at < count; at += chunk.length) {
      int length = (int) Math.min(chunk.length, count - at);
      decode(source, at, length, chunk);
      for (int i = 0; i < length; i++) {
        if (!Float.isFinite(chunk[i])) {
          return Optional.of(at + i);
        }
      }
    }
    return Optional.empty();
  }
}
