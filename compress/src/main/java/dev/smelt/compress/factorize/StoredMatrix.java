package dev.smelt.compress.factorize;

import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.codec.FloatCodec;
import dev.smelt.gpu.engine.Matrix;
import java.lang.foreign.MemorySegment;

/** A matrix rounded to the type in which it will be stored. */
final class StoredMatrix {

  private StoredMatrix() {}

  /**
   * @throws LimitException when a value is beyond the type's range
   */
  static TensorView round(String name, Matrix matrix, DType dtype) {
    FloatCodec codec =
        FloatCodec.of(dtype)
            .orElseThrow(
                () ->
                    new UnsupportedException(
                        "cannot store factors",
                        name,
                        "as " + dtype.label(),
                        "choose a float --dtype"));
    double[] values = matrix.toDoubles();
    TensorInfo info = new TensorInfo(name, dtype, Shape.of(matrix.rows(), matrix.cols()));
    MemorySegment bytes = MemorySegment.ofArray(new byte[Math.toIntExact(info.bytes())]);
    int bad = codec.encode(values, values.length, bytes, 0);
    if (bad >= 0) {
      throw new LimitException(
          "value out of range",
          name,
          "found " + values[bad] + " at index " + bad + ", beyond " + dtype.label(),
          "choose a wider --dtype");
    }
    return new TensorView(info, bytes);
  }
}
