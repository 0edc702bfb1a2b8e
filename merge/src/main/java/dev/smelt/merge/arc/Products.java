package dev.smelt.merge.arc;

import dev.smelt.merge.arc.Vectors.Layout;
import dev.smelt.merge.method.Operands;
import java.util.Arrays;

/**
 * The products vᵢ·vⱼ of a tensor's vectors in all models, each model with each: sums in f64 in the
 * order of the elements, by blocks, from one pass over the tensor.
 */
final class Products {

  /** Elements at a time: those of a few models fit the L2 cache. */
  private static final int BLOCK = 1 << 12;

  private final Layout layout;
  private final int models;

  /** By pair and vector. */
  private final double[][] sums;

  /** By model: its values were divided by 2 to this. */
  private final int[] exponents;

  private Products(Layout layout, int[] exponents) {
    this.layout = layout;
    this.models = exponents.length;
    this.exponents = exponents;
    this.sums = new double[pair(0, models)][layout.count()];
  }

  /** Pairs i ≤ j are counted column by column of a triangle. */
  private static int pair(int i, int j) {
    return j * (j + 1) / 2 + i;
  }

  /**
   * @param onBase whether vectors are differences to the first operand
   * @throws dev.smelt.formats.NonFiniteException when an element is no finite number
   */
  static Products of(Operands tensor, Layout layout, boolean onBase) {
    Sides sides = new Sides(tensor, onBase, BLOCK);
    Products products = new Products(layout, sides.exponents());
    long elements = tensor.output().elements();
    for (long at = 0; at < elements; at += BLOCK) {
      int count = (int) Math.min(BLOCK, elements - at);
      products.add(sides.read(at, count), at, count);
    }
    return products;
  }

  private void add(double[][] values, long first, int count) {
    for (int j = 0; j < models; j++) {
      for (int i = 0; i <= j; i++) {
        if (layout.interleaved()) {
          addInterleaved(values[i], values[j], first, count, sums[pair(i, j)]);
        } else {
          addInTurn(values[i], values[j], first, count, sums[pair(i, j)]);
        }
      }
    }
  }

  private void addInTurn(double[] a, double[] b, long first, int count, double[] sum) {
    for (int k = 0; k < count; ) {
      int vector = layout.vectorOf(first + k);
      int end = (int) Math.min(count, (vector + 1) * layout.length() - first);
      sum[vector] += dot(a, b, k, end);
      k = end;
    }
  }

  /** Sums of their own for every fourth product need not wait for one another. */
  private static double dot(double[] a, double[] b, int from, int to) {
    double first = 0;
    double second = 0;
    double third = 0;
    double fourth = 0;
    int k = from;
    for (; k + 3 < to; k += 4) {
      first += a[k] * b[k];
      second += a[k + 1] * b[k + 1];
      third += a[k + 2] * b[k + 2];
      fourth += a[k + 3] * b[k + 3];
    }
    for (; k < to; k++) {
      first += a[k] * b[k];
    }
    return (first + second) + (third + fourth);
  }

  private void addInterleaved(double[] a, double[] b, long first, int count, double[] sum) {
    int vector = layout.vectorOf(first);
    for (int k = 0; k < count; ) {
      int length = Math.min(count - k, layout.count() - vector);
      for (int i = 0; i < length; i++) {
        sum[vector + i] += a[k + i] * b[k + i];
      }
      k += length;
      vector = 0;
    }
  }

  int models() {
    return models;
  }

  Angles angles(int vector) {
    int longest = Arrays.stream(exponents).max().orElse(0);
    double[] norms = new double[models];
    double[] lengths = new double[models];
    double[][] cosines = new double[models][models];
    for (int j = 0; j < models; j++) {
      norms[j] = Math.sqrt(sums[pair(j, j)][vector]);
      lengths[j] = Math.scalb(norms[j], exponents[j] - longest);
      cosines[j][j] = norms[j] == 0 ? 0 : 1;
      for (int i = 0; i < j; i++) {
        if (norms[i] > 0 && norms[j] > 0) {
          double cosine = sums[pair(i, j)][vector] / norms[i] / norms[j];
          cosines[i][j] = Math.clamp(cosine, -1, 1);
          cosines[j][i] = cosines[i][j];
        }
      }
    }
    return new Angles(lengths, cosines);
  }
}
