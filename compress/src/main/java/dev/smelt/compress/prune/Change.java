package dev.smelt.compress.prune;

import dev.smelt.formats.TensorView;

/**
 * What pruning did to a tensor, or to a part of it.
 *
 * @param squares ΣW² before
 * @param changed Σ(W − Ŵ)²
 * @param zeros of what was written
 */
record Change(double squares, double changed, long zeros) {

  static final Change NONE = new Change(0, 0, 0);

  Change plus(Change other) {
    return new Change(squares + other.squares, changed + other.changed, zeros + other.zeros);
  }

  double relativeError() {
    return squares == 0 ? 0 : Math.sqrt(changed / squares);
  }

  /** Between a stretch of a tensor and what stands in its place. */
  static Change of(double[] before, double[] after, int count) {
    double squares = 0;
    double changed = 0;
    long zeros = 0;
    for (int i = 0; i < count; i++) {
      double difference = before[i] - after[i];
      squares += before[i] * before[i];
      changed += difference * difference;
      zeros += after[i] == 0 ? 1 : 0;
    }
    return new Change(squares, changed, zeros);
  }

  /** Likewise, of stored tensors. */
  static Change of(TensorView before, TensorView after, long first, int count) {
    double[] left = new double[count];
    double[] right = new double[count];
    before.read(first, count, left);
    after.read(first, count, right);
    return of(left, right, count);
  }
}
