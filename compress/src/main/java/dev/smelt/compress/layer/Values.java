package dev.smelt.compress.layer;

import dev.smelt.formats.TensorView;

/** Tensors, value by value. */
public final class Values {

  private static final int CHUNK = 1 << 14;

  private Values() {}

  /** Whether all values are equal; a NaN equals a NaN. */
  public static boolean equal(TensorView a, TensorView b) {
    if (a.sameBits(b)) {
      return true;
    }
    if (!a.holdsReals() || !b.holdsReals()) {
      return false;
    }
    double[] left = new double[(int) Math.min(CHUNK, a.elements())];
    double[] right = new double[left.length];
    for (long at = 0; at < a.elements(); at += left.length) {
      int count = (int) Math.min(left.length, a.elements() - at);
      a.read(at, count, left);
      b.read(at, count, right);
      for (int i = 0; i < count; i++) {
        boolean same = left[i] == right[i] || (Double.isNaN(left[i]) && Double.isNaN(right[i]));
        if (!same) {
          return false;
        }
      }
    }
    return true;
  }

  /** ‖a‖, without overflow or underflow of the squares. */
  public static double norm(TensorView a) {
    Norm norm = new Norm();
    each(a, (values, count) -> norm.add(values, count));
    return norm.value();
  }

  /** How many are zero. */
  public static long zeros(TensorView a) {
    long[] zeros = new long[1];
    each(
        a,
        (values, count) -> {
          for (int i = 0; i < count; i++) {
            zeros[0] += values[i] == 0 ? 1 : 0;
          }
        });
    return zeros[0];
  }

  /** ‖a − b‖. */
  public static double distance(TensorView a, TensorView b) {
    Norm norm = new Norm();
    double[] right = new double[(int) Math.min(CHUNK, a.elements())];
    long[] at = {0};
    each(
        a,
        (values, count) -> {
          b.read(at[0], count, right);
          for (int i = 0; i < count; i++) {
            values[i] -= right[i];
          }
          norm.add(values, count);
          at[0] += count;
        });
    return norm.value();
  }

  private interface Chunk {
    void accept(double[] values, int count);
  }

  private static void each(TensorView a, Chunk chunk) {
    double[] values = new double[(int) Math.min(CHUNK, a.elements())];
    for (long at = 0; at < a.elements(); at += values.length) {
      int count = (int) Math.min(values.length, a.elements() - at);
      a.read(at, count, values);
      chunk.accept(values, count);
    }
  }

  /** √Σ x² as scale·√sum, where every square in the sum is at most 1. */
  private static final class Norm {
    private double scale;
    private double sum;

    void add(double[] values, int count) {
      for (int i = 0; i < count; i++) {
        double x = Math.abs(values[i]);
        if (x > scale) {
          double shrink = scale / x;
          sum = 1 + sum * shrink * shrink;
          scale = x;
        } else if (x > 0) {
          double ratio = x / scale;
          sum += ratio * ratio;
        }
      }
    }

    double value() {
      return scale * Math.sqrt(sum);
    }
  }
}
