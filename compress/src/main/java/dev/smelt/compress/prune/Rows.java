package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.storage.Scratch;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Marks the smallest scores of each row of W ∈ R^{out×in}, or of each group in it. */
final class Rows {

  /** Scores held at a time. */
  private static final int STRIP = 1 << 20;

  private final Layer layer;
  private final Scores scores;
  private final Mask.Builder mask;

  private Rows(Layer layer, Scores scores, Mask.Builder mask) {
    this.layer = layer;
    this.scores = scores;
    this.mask = mask;
  }

  static Mask mark(Layer layer, Scores scores, Quota.OfRows quota, Scratch scratch) {
    Mask.Builder mask = new Mask.Builder(scratch, layer.weight().elements());
    Rows rows = new Rows(layer, scores, mask);
    rows.each((row, values) -> rows.smallest(row, values, quota.ofRow(row, layer.storedOut())));
    return mask.build();
  }

  static Mask mark(Layer layer, Scores scores, Quota.OfGroups quota, Scratch scratch) {
    quota.groups().requireFit(layer);
    Mask.Builder mask = new Mask.Builder(scratch, layer.weight().elements());
    Rows rows = new Rows(layer, scores, mask);
    rows.each((row, values) -> rows.groups(row, values, quota.groups()));
    return mask.build();
  }

  @FunctionalInterface
  private interface Row {
    void accept(int row, double[] scores);
  }

  /** Rows from the first to the last, whichever way they are stored. */
  private void each(Row sink) {
    int out = layer.storedOut();
    int in = layer.storedIn();
    int height = Math.clamp(STRIP / in, 1, out);
    double[] row = new double[in];
    double[] part = new double[height];
    double[][] strip = layer.transposed() ? new double[height][in] : new double[0][];
    for (int top = 0; top < out; top += height) {
      int rows = Math.min(height, out - top);
      for (int k = 0; k < in && layer.transposed(); k++) {
        scores.read((long) k * out + top, rows, part);
        for (int j = 0; j < rows; j++) {
          strip[j][k] = part[j];
        }
      }
      for (int j = 0; j < rows; j++) {
        if (layer.transposed()) {
          row = strip[j];
        } else {
          scores.read((long) (top + j) * in, in, row);
        }
        requireFinite(top + j, row);
        sink.accept(top + j, row);
      }
    }
  }

  private void requireFinite(int row, double[] values) {
    for (double value : values) {
      if (!Double.isFinite(value)) {
        layer.requireFinite();
        throw new NonFiniteException(
            "score out of range",
            layer.checkpoint() + "|" + layer.weight().name(),
            "found " + value + " in row " + row,
            "compute the statistics again or pass --exclude " + layer.module());
      }
    }
  }

  private void smallest(int row, double[] values, int count) {
    if (count == 0) {
      return;
    }
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    double limit = sorted[count - 1];
    int ties = count;
    for (double value : values) {
      ties -= value < limit ? 1 : 0;
    }
    for (int k = 0; k < values.length; k++) {
      if (values[k] < limit || (values[k] == limit && ties-- > 0)) {
        remove(row, k);
      }
    }
  }

  private void groups(int row, double[] values, Pattern.Groups groups) {
    for (int from = 0; from < values.length; from += groups.of()) {
      IntStream.range(from, from + groups.of())
          .boxed()
          .sorted(Comparator.comparingDouble((Integer k) -> values[k]))
          .limit(groups.of() - groups.kept())
          .forEach(k -> remove(row, k));
    }
  }

  private void remove(int row, int column) {
    mask.set(
        layer.transposed()
            ? (long) column * layer.storedOut() + row
            : (long) row * layer.storedIn() + column);
  }
}
