package dev.smelt.merge.arc;

import dev.smelt.formats.DType;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import java.util.List;

/**
 * What the angles of a tensor are between: its values in each model, or what the models changed of
 * the first one. Where f64 might not hold their squares they are scaled by powers of two, each
 * model by its own.
 */
final class Sides {

  private final Operand base;
  private final List<Operand> theta;
  private final boolean onBase;
  private final boolean wide;
  private final int[] exponents;
  private final double[] ofBase;
  private final double[][] values;

  /**
   * For one thread.
   *
   * @param onBase whether they are differences to the first operand, which is none of them then
   * @param block the most elements that are read at a time
   * @throws dev.smelt.formats.NonFiniteException when an element is no finite number
   */
  Sides(Operands tensor, boolean onBase, int block) {
    this.base = tensor.theta().getFirst();
    this.theta = onBase ? tensor.theta().subList(1, tensor.theta().size()) : tensor.theta();
    this.onBase = onBase;
    this.wide = tensor.theta().stream().anyMatch(one -> one.view().dtype() == DType.F64);
    this.exponents = new int[theta.size()];
    this.ofBase = new double[onBase ? block : 0];
    this.values = new double[theta.size()][block];
    if (wide) {
      findExponents(tensor.output().elements(), block);
    }
  }

  int count() {
    return theta.size();
  }

  /** Values of model i were divided by 2 to {@code exponents()[i]}. */
  int[] exponents() {
    return exponents.clone();
  }

  /** Those of the largest values, so that these are near 1. */
  private void findExponents(long elements, int block) {
    double[] largest = new double[theta.size()];
    for (long at = 0; at < elements; at += block) {
      int count = (int) Math.min(block, elements - at);
      double[][] found = read(at, count);
      for (int i = 0; i < found.length; i++) {
        for (int k = 0; k < count; k++) {
          largest[i] = Math.max(largest[i], Math.abs(found[i][k]));
        }
      }
    }
    for (int i = 0; i < largest.length; i++) {
      exponents[i] = Math.getExponent(largest[i]);
    }
  }

  /**
   * Elements {@code at … at+count-1} of each model.
   *
   * @return filled anew by the next call
   */
  double[][] read(long at, int count) {
    if (onBase) {
      base.readFinite(at, count, ofBase);
    }
    for (int i = 0; i < values.length; i++) {
      double[] value = values[i];
      theta.get(i).readFinite(at, count, value);
      if (onBase) {
        // Differences of halves are within f64.
        double unit = wide ? 0.5 : 1;
        for (int k = 0; k < count; k++) {
          value[k] = unit * value[k] - unit * ofBase[k];
        }
      }
      for (int k = 0; k < count && exponents[i] != 0; k++) {
        value[k] = Math.scalb(value[k], -exponents[i]);
      }
    }
    return values;
  }
}
