package dev.smelt.merge.sparse;

import dev.smelt.merge.method.Operand;
import java.util.List;

/**
 * How much models differ in each element: the variance over models of θᵢ, which is that of θᵢ − θ₀,
 * times the number of models. The order of the models makes no difference to a bit of it, and where
 * all are equal it is 0. For one thread.
 */
final class Variances implements Keys {

  private final List<Operand> models;
  private final double unit;
  private double[][] theta = {};

  /**
   * @param unit a power of two near the largest value, by which all are divided first, so that
   *     squares stay in range; differences below 10⁻¹⁶⁰ of it count as none
   */
  Variances(List<Operand> models, double unit) {
    this.models = models;
    this.unit = unit;
  }

  @Override
  public long elements() {
    return models.getFirst().view().elements();
  }

  @Override
  public void read(long first, int count, double[] keys) {
    if (theta.length == 0 || theta[0].length < count) {
      theta = new double[models.size()][count];
    }
    for (int i = 0; i < theta.length; i++) {
      models.get(i).view().read(first, count, theta[i]);
    }
    of(theta, count, unit, keys);
  }

  /** Of the first elements of these arrays, which are put into another order. */
  static void of(double[][] theta, int count, double unit, double[] variances) {
    sort(theta, count);
    int models = theta.length;
    double[] mean = new double[count];
    double inverse = 1 / unit;
    for (int i = 1; i < models; i++) {
      for (int k = 0; k < count; k++) {
        // Above the smallest, so that equal values are 0.
        theta[i][k] = theta[i][k] * inverse - theta[0][k] * inverse;
        mean[k] += theta[i][k] / models;
      }
    }
    for (int k = 0; k < count; k++) {
      variances[k] = mean[k] * mean[k];
    }
    for (int i = 1; i < models; i++) {
      for (int k = 0; k < count; k++) {
        double difference = theta[i][k] - mean[k];
        variances[k] += difference * difference;
      }
    }
  }

  /** Each element by itself, by comparing and exchanging. */
  private static void sort(double[][] theta, int count) {
    for (int end = theta.length - 1; end > 0; end--) {
      for (int i = 0; i < end; i++) {
        double[] lower = theta[i];
        double[] upper = theta[i + 1];
        for (int k = 0; k < count; k++) {
          double least = Math.min(lower[k], upper[k]);
          upper[k] = Math.max(lower[k], upper[k]);
          lower[k] = least;
        }
      }
    }
  }
}
