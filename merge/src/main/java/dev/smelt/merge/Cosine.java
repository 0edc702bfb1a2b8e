package dev.smelt.merge;

import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.TensorView;
import dev.smelt.merge.MergePlan.Merged;

/** The cosine of the angle between a tensor of the first model and that of the second. */
final class Cosine {

  private static final int CHUNK = 1 << 14;

  private Cosine() {}

  /**
   * Sums are taken in f64 in the order of the elements.
   *
   * @return NaN where one of the two is zero
   * @throws NonFiniteException when an element is no finite number, since there is no angle then
   */
  static double of(MergePlan plan, Merged tensor) {
    int first = exponent(plan, tensor, 0);
    int second = exponent(plan, tensor, 1);
    int length = (int) Math.min(CHUNK, tensor.output().elements());
    double[] a = new double[length];
    double[] b = new double[length];
    double product = 0;
    double ofFirst = 0;
    double ofSecond = 0;
    for (long at = 0; at < tensor.output().elements(); at += length) {
      int count = (int) Math.min(length, tensor.output().elements() - at);
      read(tensor.theta().get(0), at, count, first, a);
      read(tensor.theta().get(1), at, count, second, b);
      for (int k = 0; k < count; k++) {
        product += a[k] * b[k];
        ofFirst += a[k] * a[k];
        ofSecond += b[k] * b[k];
      }
    }
    double cosine = product / Math.sqrt(ofFirst) / Math.sqrt(ofSecond);
    return Double.isNaN(cosine) ? cosine : Math.clamp(cosine, -1, 1);
  }

  /** That of the largest magnitude, by which values are scaled whose squares f64 could not hold. */
  private static int exponent(MergePlan plan, Merged tensor, int model) {
    TensorView view = tensor.theta().get(model);
    double[] chunk = new double[(int) Math.min(CHUNK, view.elements())];
    double largest = 0;
    for (long at = 0; at < view.elements(); at += chunk.length) {
      int count = (int) Math.min(chunk.length, view.elements() - at);
      view.read(at, count, chunk);
      for (int k = 0; k < count; k++) {
        if (!Double.isFinite(chunk[k])) {
          throw new NonFiniteException(
              "no angle to a tensor with a non-finite value",
              plan.where(model, view),
              "found " + chunk[k] + " at index " + (at + k),
              "repair the model, or use --method linear");
        }
        largest = Math.max(largest, Math.abs(chunk[k]));
      }
    }
    return view.dtype() == DType.F64 ? Math.getExponent(largest) : 0;
  }

  private static void read(TensorView view, long at, int count, int exponent, double[] chunk) {
    view.read(at, count, chunk);
    for (int k = 0; k < count && exponent != 0; k++) {
      chunk[k] = Math.scalb(chunk[k], -exponent);
    }
  }
}
