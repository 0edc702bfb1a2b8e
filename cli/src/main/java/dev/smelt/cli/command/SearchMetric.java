package dev.smelt.cli.command;

import dev.smelt.gpu.eval.Evaluation;
import java.util.Locale;

/** By what weights are judged. */
enum SearchMetric {
  LOSS,
  ACCURACY;

  double of(Evaluation found) {
    return this == LOSS ? found.loss() : found.accuracy();
  }

  boolean isBetter(double one, double other) {
    return this == LOSS ? one < other : one > other;
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
