package dev.smelt.merge.sparse;

import dev.smelt.formats.NonFiniteException;
import dev.smelt.merge.method.Operand;

/**
 * |θᵢ − θ₀|, how much a model changed each element of the base. In f64; those beyond it count as
 * equal. For one thread.
 */
final class Changes implements Keys {

  /** Added to the bits of a positive number it reaches the sign bit where that is not finite. */
  private static final long ONE_EXPONENT = 1L << 52;

  private final Operand base;
  private final Operand model;
  private double[] theta = {};

  Changes(Operand base, Operand model) {
    this.base = base;
    this.model = model;
  }

  @Override
  public long elements() {
    return base.view().elements();
  }

  /**
   * @throws NonFiniteException when an element of either is no finite number
   */
  @Override
  public void read(long first, int count, double[] keys) {
    if (theta.length < count) {
      theta = new double[count];
    }
    base.view().read(first, count, keys);
    model.view().read(first, count, theta);
    long all = 0;
    for (int k = 0; k < count; k++) {
      keys[k] = Math.abs(keys[k] - theta[k]);
      all |= Double.doubleToRawLongBits(keys[k]) + ONE_EXPONENT;
    }
    if (all < 0) {
      requireFinite(base, first, count);
      requireFinite(model, first, count);
    }
  }

  /** Unless all of these elements are finite, refuses: what is not has no place in an order. */
  static void requireFinite(Operand tensor, long first, int count) {
    double[] values = new double[count];
    tensor.view().read(first, count, values);
    for (int k = 0; k < count; k++) {
      if (!Double.isFinite(values[k])) {
        throw new NonFiniteException(
            "no order of changes by size with a non-finite value",
            tensor.where(),
            "found " + values[k] + " at index " + (first + k),
            "repair the model, or use --method task_arithmetic");
      }
    }
  }
}
