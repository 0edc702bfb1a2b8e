package dev.smelt.merge.mean;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The blocks against one element at a time. */
class MeanTest {

  private static final double[] SPECIAL = {
    0,
    -0.0,
    1,
    Double.MIN_VALUE,
    Double.MAX_VALUE,
    -Double.MAX_VALUE,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    Double.NaN
  };

  private static final double[] WEIGHTS = {0, 1, 2, -1, 1e-300};
  private static final double[] OTHERWISE = {1, 3, 2};

  @ParameterizedTest
  @ValueSource(ints = {0, 1, Mean.BLOCK - 1, Mean.BLOCK})
  void aBlockIsItsElements(int count) {
    int at = 5;
    SplittableRandom random = new SplittableRandom(count);
    double[][] theta = new double[3][at + count];
    Mean mean = new Mean(OTHERWISE);
    for (int i = 0; i < 3; i++) {
      for (int k = 0; k < count; k++) {
        // Few values, so that models often agree and weights often cancel.
        theta[i][at + k] = SPECIAL[random.nextInt(SPECIAL.length)];
        mean.weights(i)[k] = WEIGHTS[random.nextInt(WEIGHTS.length)];
      }
    }
    double[] merged = new double[at + count];
    mean.of(theta, at, count, merged);
    for (int k = 0; k < count; k++) {
      double[] weights = new double[3];
      double total = 0;
      for (int i = 0; i < 3; i++) {
        weights[i] = mean.weights(i)[k];
        total += weights[i];
      }
      double expected = Mean.of(total == 0 ? OTHERWISE : weights, theta, at + k);
      assertThat(Double.valueOf(merged[at + k]))
          .as("element %d", k)
          .isEqualTo(Double.valueOf(expected));
    }
    assertThat(merged).startsWith(0, 0, 0, 0, 0);
  }

  @Test
  void aBlockLeavesNothingForTheNext() {
    Mean mean = new Mean(new double[] {1, 1});
    double[] merged = new double[1];
    for (double value : new double[] {Double.NaN, 1e308, 3}) {
      mean.weights(0)[0] = 1;
      mean.weights(1)[0] = 1;
      mean.of(new double[][] {{1}, {value}}, 0, 1, merged);
    }
    assertThat(merged).containsExactly(2);
  }
}
