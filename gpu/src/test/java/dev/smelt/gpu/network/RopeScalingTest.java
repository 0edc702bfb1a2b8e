package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.gpu.layer.RotaryFrequencies;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** Frequencies whose values can be had by hand. */
class RopeScalingTest {

  /** Of a few operations in f64, relative to values of at most 1. */
  private static final Offset<Double> EXACT = within(1e-12);

  @Test
  void interpolatesLinearly() {
    assertThat(new RopeScaling.Linear(10_000, 8, 1).of(9))
        .containsExactly(new double[] {1, 0.1, 0.01, 0.001}, EXACT);
    assertThat(new RopeScaling.Linear(10_000, 8, 4).of(9))
        .containsExactly(new double[] {0.25, 0.025, 0.0025, 0.00025}, EXACT);
    assertThat(new RopeScaling.Linear(10_000, 8, 4).magnitude()).isEqualTo(1);
  }

  /** At twice the length the stretch is 2·2 − 1 = 3, and θ grows by 3^(4/2) = 9. */
  @Test
  void growsThetaBeyondTheTrainedLength() {
    RotaryFrequencies dynamic = new RopeScaling.Dynamic(10_000, 4, 2, 100);
    assertThat(dynamic.of(1)).containsExactly(new double[] {1, 1.0 / 100}, EXACT);
    assertThat(dynamic.of(100)).containsExactly(new double[] {1, 1.0 / 100}, EXACT);
    assertThat(dynamic.of(200)).containsExactly(new double[] {1, 1.0 / 300}, EXACT);
  }

  /** Within 2000 tokens the pairs turn 318, 31.8, 3.18 and 0.318 times. */
  @Test
  void keepsBlendsAndDividesAsLlama3() {
    double[] f = new RopeScaling.Llama3(10_000, 8, 8, 1, 4, 2000).of(9);
    assertThat(f[0]).isCloseTo(1, EXACT);
    assertThat(f[1]).isCloseTo(0.1, EXACT);
    double kept = (10 / Math.PI - 1) / 3;
    assertThat(f[2]).isCloseTo(0.01 * kept + 0.01 / 8 * (1 - kept), EXACT);
    assertThat(f[3]).isCloseTo(0.001 / 8, EXACT);
  }

  /**
   * With θ = 10⁶ and 128 features the pair that turns 32 times in 32,768 tokens is 23.6 and the one
   * that turns once 39.7: the ramp is from 23 to 40.
   */
  @Test
  void rampsBetweenTwoPairsAsYarn() {
    double[] f = new RopeScaling.Yarn(1e6, 128, 4, 32, 1, 32_768, true, 1).of(9);
    for (int i : new int[] {0, 10, 23}) {
      assertThat(f[i]).isCloseTo(Math.pow(10, -6 * i / 64.0), EXACT);
    }
    for (int i : new int[] {40, 50, 63}) {
      assertThat(f[i]).isCloseTo(Math.pow(10, -6 * i / 64.0) / 4, EXACT);
    }
    assertThat(f[31]).isCloseTo(Math.pow(10, -6 * 31 / 64.0) * (1 - 8 / 17.0 * 0.75), EXACT);
    assertThat(RopeScaling.Yarn.growth(4, 1)).isCloseTo(1.138629436111989, EXACT);
    assertThat(RopeScaling.Yarn.growth(1, 1)).isEqualTo(1);
  }

  @Test
  void changesDivisorsBeyondTheTrainedLength() {
    double[] small = {1, 2};
    double[] large = {4, 5};
    RotaryFrequencies rope = new RopeScaling.LongRope(10_000, 4, small, large, 4096, 1.5);
    assertThat(rope.of(4096)).containsExactly(new double[] {1, 0.005}, EXACT);
    assertThat(rope.of(4097)).containsExactly(new double[] {0.25, 0.002}, EXACT);
    assertThat(rope.magnitude()).isEqualTo(1.5);
  }

  /** ln 32 / ln 4096 = 5/12. */
  @Test
  void growsScoresOfLongRopeWithTheLogarithm() {
    assertThat(RopeScaling.LongRope.growth(32, 4096)).isCloseTo(Math.sqrt(17 / 12.0), EXACT);
    assertThat(RopeScaling.LongRope.growth(0.5, 4096)).isEqualTo(1);
  }
}
