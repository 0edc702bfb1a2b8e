package dev.smelt.gpu.engine;

/** A dense matrix on the device; it lives as long as the {@link LinearAlgebra} that owns it. */
public interface Matrix {

  int rows();

  int cols();

  Precision precision();

  /** Row-major copy. */
  double[] toDoubles();

  /** Row-major copy, rounded to f32. */
  default float[] toFloats() {
    double[] values = toDoubles();
    float[] rounded = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      rounded[i] = (float) values[i];
    }
    return rounded;
  }
}
