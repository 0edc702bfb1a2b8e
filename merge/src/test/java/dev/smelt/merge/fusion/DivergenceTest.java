package dev.smelt.merge.fusion;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The divergence of rows against its definition and its limits. */
class DivergenceTest {

  private static double of(double[] base, double[] model) {
    Divergence divergence = new Divergence();
    int middle = base.length / 3;
    for (int[] part : new int[][] {{0, middle}, {middle, base.length}}) {
      if (part[0] < part[1]) {
        divergence.look(base, model, part[0], part[1]);
      }
    }
    divergence.add(base, model, 0, middle);
    divergence.add(base, model, middle, base.length);
    return divergence.value();
  }

  private static double[] random(long seed, int length, double scale) {
    return new SplittableRandom(seed).doubles(length, -scale, scale).toArray();
  }

  private static double[] softmax(double[] theta) {
    double[] p = new double[theta.length];
    double sum = 0;
    for (int k = 0; k < p.length; k++) {
      p[k] = Math.exp(theta[k]);
      sum += p[k];
    }
    for (int k = 0; k < p.length; k++) {
      p[k] /= sum;
    }
    return p;
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.1, 0.4, 1, 3, 30})
  void itIsTheSumOverTheRow(double scale) {
    double[] base = random(1, 200, scale);
    double[] model = random(2, 200, scale);
    double[] p = softmax(model);
    double[] q = softmax(base);
    double expected = 0;
    for (int k = 0; k < p.length; k++) {
      expected += p[k] * Math.log(p[k] / q[k]);
    }
    assertThat(of(base, model)).isCloseTo(expected, within(1e-13 * Math.max(expected, 0.1)));
  }

  /** For small δ it is half their variance under q, but for terms of third order. */
  @ParameterizedTest
  @ValueSource(doubles = {1e-6, 1e-9, 1e-12})
  void ofSmallChangesItIsHalfTheirVariance(double size) {
    double[] base = random(3, 500, 1);
    double[] delta = random(4, 500, size);
    double[] model = base.clone();
    double[] q = softmax(base);
    double mean = 0;
    for (int k = 0; k < q.length; k++) {
      model[k] += delta[k];
      delta[k] = model[k] - base[k];
      mean += q[k] * delta[k];
    }
    double variance = 0;
    for (int k = 0; k < q.length; k++) {
      variance += q[k] * (delta[k] - mean) * (delta[k] - mean);
    }
    assertThat(of(base, model))
        .isCloseTo(variance / 2, within((2 * size + 1e-15 / size) * variance));
  }

  @Test
  void aShiftOfTheWholeRowIsNone() {
    double[] base = {0.5, -0.25, 3, 1};
    double[] model = {1, 0.25, 3.5, 1.5};
    assertThat(of(base, model)).isZero();
    assertThat(of(base, base)).isZero();
    assertThat(of(new double[] {5}, new double[] {-1e300})).isZero();
  }

  /** All of p is on an element where q is e^-1000. */
  @Test
  void rowsFarFromEachOtherHaveOne() {
    assertThat(of(new double[] {0, 0}, new double[] {1000, 0}))
        .isCloseTo(Math.log(2), within(1e-15));
    assertThat(of(new double[] {0, 1000}, new double[] {1000, 0})).isCloseTo(1000, within(1e-12));
    double max = Double.MAX_VALUE;
    assertThat(of(new double[] {-max, max}, new double[] {max, -max})).isEqualTo(max);
  }
}
