package dev.smelt.merge.mean;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.UsageException;
import java.util.List;
import org.junit.jupiter.api.Test;

class WeightsTest {

  @Test
  void weightsBecomeTheSmallestWholeNumbers() {
    assertThat(Weights.ratio(List.of(0.6, 0.4), 2)).containsExactly(3, 2);
    assertThat(Weights.ratio(List.of(0.1, 0.2, 0.3), 3)).containsExactly(1, 2, 3);
    assertThat(Weights.ratio(List.of(100.0, 0.0), 2)).containsExactly(1, 0);
    assertThat(Weights.ratio(List.of(1.5, -0.5), 2)).containsExactly(3, -1);
    assertThat(Weights.ratio(List.of(1e-7, 1e-7), 2)).containsExactly(1, 1);
    assertThat(Weights.ratio(List.of(), 3)).containsExactly(1, 1, 1);
  }

  @Test
  void weightsWithoutSuchNumbersStayAsTheyAre() {
    assertThat(Weights.ratio(List.of(Math.PI, 1e10), 2)).containsExactly(Math.PI, 1e10);
    assertThat(Weights.ratio(List.of(1e-300, 1.0), 2)).containsExactly(1e-300, 1);
    assertThat(Weights.ratio(List.of(1e300, 1e300), 2)).containsExactly(1e300, 1e300);
  }

  @Test
  void normalisedWeightsSumToOne() {
    assertThat(Weights.normalized(List.of(3.0, 1.0), 2)).containsExactly(0.75, 0.25);
    assertThat(Weights.normalized(List.of(), 4)).containsExactly(0.25, 0.25, 0.25, 0.25);
    assertThat(Weights.normalized(List.of(2.0, -1.0), 2)).containsExactly(2, -1);
  }

  @Test
  void asManyWeightsAsModels() {
    assertRefused(List.of(1.0), 2, "1 weights for 2 models");
    assertRefused(List.of(1.0, 1.0, 1.0), 2, "3 weights for 2 models");
  }

  @Test
  void weightsMustMakeAMean() {
    assertRefused(List.of(0.0, 0.0), 2, "sum to 0.0");
    assertRefused(List.of(1.0, -2.0), 2, "sum to -1.0");
    // In doubles this sum is 5.6e-17.
    assertRefused(List.of(0.1, 0.2, -0.3), 3, "sum to 0.0");
    assertRefused(List.of(1.7e308, 1.7e308), 2, "sum to Infinity");
  }

  private static void assertRefused(List<Double> weights, int models, String message) {
    assertThatThrownBy(() -> Weights.requireMean(weights, models))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(message);
  }
}
