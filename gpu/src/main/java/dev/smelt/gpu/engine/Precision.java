package dev.smelt.gpu.engine;

/** How many bits the elements of a {@link Matrix} have. */
public enum Precision {
  /** IEEE 754 binary32, unit roundoff 6·10⁻⁸. */
  F32(0x1p-24),
  /** IEEE 754 binary64, unit roundoff 1.1·10⁻¹⁶. */
  F64(0x1p-53);

  private final double unitRoundoff;

  Precision(double unitRoundoff) {
    this.unitRoundoff = unitRoundoff;
  }

  /** The largest relative error of rounding a number in range. */
  public double unitRoundoff() {
    return unitRoundoff;
  }
}
