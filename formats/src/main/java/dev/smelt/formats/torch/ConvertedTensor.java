package dev.smelt.formats.torch;

import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.FloatCodec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A tensor's values in the type that a module stores them in.
 *
 * @param bytes row-major
 * @param rounded whether some value is not exactly what it was
 */
record ConvertedTensor(MemorySegment bytes, boolean rounded) {

  /** Values decoded at a time. */
  private static final int CHUNK = 8192;

  /**
   * @param target the module's tensor, of the same shape
   * @throws MismatchException when types differ and one of them holds no floats, or a value is too
   *     large for the module's type
   */
  static ConvertedTensor of(TensorView source, TensorInfo target, Arena arena) {
    if (source.dtype() == target.dtype()) {
      return new ConvertedTensor(source.segment(), false);
    }
    if (!source.dtype().isFloat() || !target.dtype().isFloat()) {
      throw new MismatchException(
          "tensor of another type than in the module",
          source.name(),
          "expected " + target.dtype().label() + ", found " + source.dtype().label(),
          "only floating-point types are converted");
    }
    FloatCodec codec = FloatCodec.of(target.dtype()).orElseThrow();
    MemorySegment bytes = arena.allocate(target.bytes(), Long.BYTES);
    double[] values = new double[CHUNK];
    double[] stored = new double[CHUNK];
    boolean rounded = false;
    for (long at = 0; at < source.elements(); at += CHUNK) {
      int count = (int) Math.min(CHUNK, source.elements() - at);
      source.read(at, count, values);
      int failed = codec.encode(values, count, bytes, at);
      if (failed >= 0) {
        throw outOfRange(source, at + failed, values[failed], target.dtype());
      }
      codec.decode(bytes, at, count, stored);
      for (int i = 0; i < count; i++) {
        rounded |= Double.compare(values[i], stored[i]) != 0;
      }
    }
    return new ConvertedTensor(bytes, rounded);
  }

  private static MismatchException outOfRange(
      TensorView source, long index, double value, DType type) {
    return new MismatchException(
        "value beyond the module's type",
        source.name(),
        "element " + index + " is " + value + ", which " + type.label() + " cannot hold",
        "use a module of a wider type");
  }
}
