package dev.smelt.merge.arc;

import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import dev.smelt.merge.method.Operand;

/** The cosine of the angle between two tensors. */
final class Cosine {

  private static final int CHUNK = 1 << 14;

  private Cosine() {}

  /**
   * Sums are taken in f64 in the order of the elements.
   *
   * @return NaN where one of the two is zero
   * @throws NonFiniteException when an element is no finite number, since there is no angle then
   */
  static double of(Operand first, Operand second) {
    int ofA = exponent(first.view());
    int ofB = exponent(second.view());
    long elements = first.view().elements();
    double[] a = new double[(int) Math.min(CHUNK, elements)];
    double[] b = new double[a.length];
    double product = 0;
    double squaresOfA = 0;
    double squaresOfB = 0;
    for (long at = 0; at < elements; at += a.length) {
      int count = (int) Math.min(a.length, elements - at);
      read(first, at, count, ofA, a);
      read(second, at, count, ofB, b);
      for (int k = 0; k < count; k++) {
        product += a[k] * b[k];
        squaresOfA += a[k] * a[k];
        squaresOfB += b[k] * b[k];
      }
    }
    double cosine = product / Math.sqrt(squaresOfA) / Math.sqrt(squaresOfB);
    return Double.isNaN(cosine) ? cosine : Math.clamp(cosine, -1, 1);
  }

  private static void read(Operand tensor, long at, int count, int exponent, double[] chunk) {
    tensor.view().read(at, count, chunk);
    for (int k = 0; k < count; k++) {
      if (!Double.isFinite(chunk[k])) {
        throw new NonFiniteException(
            "no angle to a tensor with a non-finite value",
            tensor.where(),
            "found " + chunk[k] + " at index " + (at + k),
            "repair the model, or use --method linear");
      }
    }
    for (int k = 0; k < count && exponent != 0; k++) {
      chunk[k] = Math.scalb(chunk[k], -exponent);
    }
  }

  /** Of the largest finite value, by which those are scaled whose squares f64 might not hold. */
  private static int exponent(TensorView view) {
    if (view.dtype() != DType.F64) {
      return 0;
    }
    double[] chunk = new double[(int) Math.min(CHUNK, view.elements())];
    double largest = 0;
    for (long at = 0; at < view.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, view.elements() - at);
      view.read(at, count, chunk);
      for (int k = 0; k < count; k++) {
        if (Double.isFinite(chunk[k])) {
          largest = Math.max(largest, Math.abs(chunk[k]));
        }
      }
    }
    return Math.getExponent(largest);
  }
}
