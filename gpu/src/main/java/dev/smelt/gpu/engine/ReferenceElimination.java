package dev.smelt.gpu.engine;

import dev.smelt.gpu.engine.ReferenceKernels.Dense;
import java.util.Arrays;

/** Weight by weight. */
final class ReferenceElimination implements Elimination {

  private final Dense w;
  private final Dense upper;
  private final Dense errors;

  ReferenceElimination(Dense weights, Dense upper) {
    this.w = weights.copy();
    this.upper = upper;
    this.errors = Dense.zeros(weights.rows(), weights.cols());
  }

  @Override
  public double[] weights(int from, int to) {
    return Arrays.copyOfRange(w.values(), from * w.cols(), to * w.cols());
  }

  @Override
  public void remove(int from, int to, int end, double[] gone) {
    for (int i = from; i < to; i++) {
      for (int j = 0; j < w.cols(); j++) {
        boolean goes = gone[(i - from) * w.cols() + j] != 0;
        errors.set(i, j, goes ? w.at(i, j) / upper.at(i, i) : 0);
        w.set(i, j, goes ? 0 : w.at(i, j));
      }
      makeUp(i, i + 1, end);
    }
  }

  @Override
  public void carry(int from, int to) {
    for (int i = from; i < to; i++) {
      makeUp(i, to, w.rows());
    }
  }

  private void makeUp(int input, int from, int to) {
    for (int i = from; i < to; i++) {
      for (int j = 0; j < w.cols(); j++) {
        w.set(i, j, w.at(i, j) - upper.at(input, i) * errors.at(input, j));
      }
    }
  }

  @Override
  public Matrix weights() {
    return w.copy().as(w.precision());
  }
}
