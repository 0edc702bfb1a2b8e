package dev.smelt.merge.fusion;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.Shape;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import java.util.List;

/** The scores s = |θ − θ₀|·KL of a tensor's elements, KL of their rows: finite, none negative. */
final class Importance {

  /** Elements at a time. */
  private static final int BLOCK = 1 << 12;

  private final Operand base;
  private final Operand model;
  private final long length;
  private final double[] divergences;

  private Importance(Operand base, Operand model, long length, double[] divergences) {
    this.base = base;
    this.model = model;
    this.length = length;
    this.divergences = divergences;
  }

  /**
   * @param tensor a base and a model
   * @throws LimitException when there are too many rows to keep count of
   * @throws dev.smelt.formats.NonFiniteException when an element is no finite number
   */
  static Importance of(Operands tensor) {
    List<Operand> theta = tensor.theta();
    Shape shape = tensor.output().shape();
    long length = shape.rank() == 0 ? 1 : Math.max(1, shape.size(shape.rank() - 1));
    long rows = shape.elements() / length;
    if (rows > Integer.MAX_VALUE - Long.SIZE) {
      throw new LimitException(
          "too many rows in one tensor",
          theta.get(1).where(),
          "found " + rows + " in " + shape,
          "merge it by another method");
    }
    Importance importance =
        new Importance(theta.get(0), theta.get(1), length, new double[(int) rows]);
    importance.diverge();
    return importance;
  }

  private void diverge() {
    // Whole rows where they are short, else parts of one.
    int block = (int) (length > BLOCK ? BLOCK : BLOCK / length * length);
    double[] ofBase = new double[block];
    double[] ofModel = new double[block];
    long elements = divergences.length * length;
    if (length > BLOCK) {
      for (int row = 0; row < divergences.length; row++) {
        divergences[row] = ofLongRow(row * length, ofBase, ofModel);
      }
      return;
    }
    for (long at = 0; at < elements; at += block) {
      int count = (int) Math.min(block, elements - at);
      read(at, count, ofBase, ofModel);
      for (int from = 0; from < count; from += (int) length) {
        Divergence divergence = new Divergence();
        divergence.look(ofBase, ofModel, from, from + (int) length);
        divergence.add(ofBase, ofModel, from, from + (int) length);
        divergences[(int) ((at + from) / length)] = divergence.value();
      }
    }
  }

  private double ofLongRow(long first, double[] ofBase, double[] ofModel) {
    Divergence divergence = new Divergence();
    for (boolean looked : new boolean[] {false, true}) {
      for (long at = 0; at < length; at += ofBase.length) {
        int count = (int) Math.min(ofBase.length, length - at);
        read(first + at, count, ofBase, ofModel);
        if (looked) {
          divergence.add(ofBase, ofModel, 0, count);
        } else {
          divergence.look(ofBase, ofModel, 0, count);
        }
      }
    }
    return divergence.value();
  }

  private void read(long at, int count, double[] ofBase, double[] ofModel) {
    base.readFinite(at, count, ofBase);
    model.readFinite(at, count, ofModel);
  }

  /** The scores of elements {@code at … at+count-1}. */
  void read(long at, int count, double[] scores) {
    double[] ofModel = new double[count];
    read(at, count, scores, ofModel);
    score(scores, ofModel, at, count, scores);
  }

  /**
   * The scores of elements {@code first … first+count-1}.
   *
   * @param scores may be one of the others
   */
  void score(double[] base, double[] model, long first, int count, double[] scores) {
    for (int k = 0; k < count; ) {
      int row = (int) ((first + k) / length);
      int end = (int) Math.min(count, (row + 1) * length - first);
      for (; k < end; k++) {
        double score = Math.abs(model[k] - base[k]) * divergences[row];
        scores[k] = Math.min(score, Double.MAX_VALUE);
      }
    }
  }
}
