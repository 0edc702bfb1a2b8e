package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.gpu.engine.Elimination;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;

/**
 * Weights taken in blocks of 128 inputs: in each block those with the smallest w²/u_ii², by what
 * they are after the blocks before it were made up for. Frantar and Alistarh, "SparseGPT: massive
 * language models can be accurately pruned in one-shot", ICML 2023, arXiv 2301.00774, algorithm 1.
 * Blocks get their part of the number that goes, so that it is exact.
 */
final class SparseGpt {

  private static final int BLOCK = 128;

  private final Layer layer;
  private final Quota quota;
  private final Elimination left;
  private final double[] pivots;
  private final Mask.Builder mask;
  private final int in;
  private final int out;

  private SparseGpt(
      Layer layer, Quota quota, Elimination left, double[] pivots, Mask.Builder mask) {
    this.layer = layer;
    this.quota = quota;
    this.left = left;
    this.pivots = pivots;
    this.mask = mask;
    this.in = layer.storedIn();
    this.out = layer.storedOut();
  }

  static PrunedLayer apply(
      LinearAlgebra algebra,
      Layer layer,
      Quota quota,
      InputGram gram,
      Scratch scratch,
      StoredTensors stored) {
    Matrix weights = layer.load(algebra);
    InputRoot root = gram.root(algebra, gram.load(algebra, layer), layer);
    Mask.Builder mask = new Mask.Builder(scratch, layer.weight().elements());
    double[] after;
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix upper = root.inverse(inner);
      Elimination left =
          inner.elimination(inner.transpose(weights), inner.convert(upper, weights.precision()));
      new SparseGpt(layer, quota, left, inner.diagonal(upper), mask).run();
      after =
          layer.transposed()
              ? left.weights().toDoubles()
              : inner.transpose(left.weights()).toDoubles();
    }
    return Compensated.of(algebra, layer, mask.build(), weights, after, root, stored);
  }

  private void run() {
    int step = BLOCK;
    if (quota instanceof Quota.OfGroups(Pattern.Groups groups)) {
      groups.requireFit(layer);
      step = Math.ceilDiv(BLOCK, groups.of()) * groups.of();
    }
    for (int from = 0; from < in; from += step) {
      int to = Math.min(in, from + step);
      switch (quota) {
        case Quota.OfTensor(long zeros) -> {
          long count = part(zeros, to) - part(zeros, from);
          left.remove(from, to, to, smallest(from, to, (int) count));
        }
        case Quota.OfRows rows -> left.remove(from, to, to, smallestOfRows(from, to, rows));
        case Quota.OfGroups(Pattern.Groups groups) -> {
          for (int at = from; at < to; at += groups.of()) {
            left.remove(at, at + groups.of(), to, ofGroup(at, groups));
          }
        }
      }
      left.carry(from, to);
    }
  }

  /** How many of {@code zeros} belong to the first inputs. */
  private long part(long zeros, int inputs) {
    return Math.multiplyExact(zeros, inputs) / in;
  }

  /** Of inputs from … to − 1, [inputs, out]. */
  private double[] scores(int from, int to) {
    double[] scores = left.weights(from, to);
    for (int i = 0; i < scores.length; i++) {
      double ratio = scores[i] / pivots[from + i / out];
      scores[i] = ratio * ratio;
    }
    return scores;
  }

  private double[] smallest(int from, int to, int count) {
    double[] scores = scores(from, to);
    double[] gone = new double[scores.length];
    mark(scores, 0, scores.length, 1, count, gone);
    return take(from, gone);
  }

  private double[] smallestOfRows(int from, int to, Quota.OfRows rows) {
    double[] scores = scores(from, to);
    double[] gone = new double[scores.length];
    for (int j = 0; j < out; j++) {
      long zeros = rows.ofRow(j, out);
      int count = (int) (part(zeros, to) - part(zeros, from));
      mark(scores, j, scores.length, out, count, gone);
    }
    return take(from, gone);
  }

  private double[] ofGroup(int from, Pattern.Groups groups) {
    double[] scores = scores(from, from + groups.of());
    double[] gone = new double[scores.length];
    for (int j = 0; j < out; j++) {
      mark(scores, j, scores.length, out, groups.of() - groups.kept(), gone);
    }
    return take(from, gone);
  }

  /** Marks the smallest of every {@code step}-th score from {@code first} on; ties by place. */
  private static void mark(
      double[] scores, int first, int end, int step, int count, double[] gone) {
    if (count == 0) {
      return;
    }
    double[] sorted = new double[Math.ceilDiv(end - first, step)];
    for (int i = 0; i < sorted.length; i++) {
      sorted[i] = scores[first + i * step];
    }
    Arrays.sort(sorted);
    double limit = sorted[count - 1];
    int ties = count;
    for (int i = 0; i < sorted.length && sorted[i] < limit; i++) {
      ties--;
    }
    for (int i = first; i < end; i += step) {
      if (scores[i] < limit || (scores[i] == limit && ties-- > 0)) {
        gone[i] = 1;
      }
    }
  }

  private double[] take(int from, double[] gone) {
    for (int i = 0; i < gone.length; i++) {
      if (gone[i] != 0) {
        long input = from + (long) (i / out);
        long output = i % out;
        mask.set(layer.transposed() ? input * out + output : output * in + input);
      }
    }
    return gone;
  }
}
