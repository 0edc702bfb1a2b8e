package dev.smelt.merge;

import dev.smelt.formats.UsageException;
import java.util.Arrays;
import java.util.List;

/** The λ of each model. */
final class Weights {

  private Weights() {}

  /**
   * @param given one per model, or none for equal weights
   * @return as many as models, summing to one
   */
  static double[] normalized(List<Double> given, int models, boolean negativeAllowed) {
    if (given.isEmpty()) {
      double[] equal = new double[models];
      Arrays.fill(equal, 1.0 / models);
      return equal;
    }
    if (given.size() != models) {
      throw new UsageException(
          given.size() + " weights for " + models + " models",
          "give --weight once per model, in order");
    }
    double sum = 0;
    for (double weight : given) {
      if (!Double.isFinite(weight) || (weight < 0 && !negativeAllowed)) {
        throw new UsageException(
            "--weight " + weight + " is out of range", "use finite numbers >= 0");
      }
      sum += weight;
    }
    if (sum <= 0) {
      throw new UsageException("the weights sum to " + sum, "make their sum positive");
    }
    double total = sum;
    return given.stream().mapToDouble(weight -> weight / total).toArray();
  }
}
