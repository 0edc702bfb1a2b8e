package dev.smelt.gpu.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.UsageException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TuneOptionsTest {

  private static final double EXACT = 1e-15;

  private static TuneOptions with(double warmup) {
    return new TuneOptions(8, 0.4, warmup, 1, 0, 0.9, 0.99, 1e-8, 1, 0, 0, false);
  }

  @Test
  void warmsUpInEqualPartsAndFollowsTheCosineDown() {
    TuneOptions options = with(0.5);
    double[] expected = {
      0.1, 0.2, 0.3, 0.4, 0.4, 0.2 * (1 + Math.sqrt(0.5)), 0.2, 0.2 * (1 - Math.sqrt(0.5))
    };
    assertThat(IntStream.range(0, 8).mapToDouble(options::learningRate).toArray())
        .containsExactly(expected, within(EXACT));
  }

  @Test
  void beginsWithTheWholeRateWithoutWarmUp() {
    assertThat(with(0).learningRate(0)).isEqualTo(0.4);
    assertThat(with(0).learningRate(1)).isEqualTo(0.4);
    assertThat(TuneOptions.of(1, 0.4).learningRate(0)).isEqualTo(0.4);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void refusesRatesThatAreNone(double rate) {
    assertThatThrownBy(() -> TuneOptions.of(5, rate))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("learning rate");
  }

  @Test
  void refusesWhatMakesNoSense() {
    assertThatThrownBy(() -> TuneOptions.of(0, 0.1)).hasMessageContaining("steps of 0");
    assertThatThrownBy(() -> TuneOptions.of(1, 0.1).withBatch(0)).hasMessageContaining("batch");
    assertThatThrownBy(() -> TuneOptions.of(1, 0.1).withDistillation(1.5))
        .hasMessageContaining("distillation");
    assertThatThrownBy(() -> TuneOptions.of(1, 200)).hasMessageContaining("weight decay");
    assertThatThrownBy(() -> with(1)).hasMessageContaining("warm-up");
  }

  @Test
  void takesEveryExampleOncePerRound() {
    ExampleOrder order = new ExampleOrder(7, 5);
    List<Integer> taken = order.take(21);
    Set<List<Integer>> rounds = new HashSet<>();
    for (int round = 0; round < 3; round++) {
      List<Integer> one = taken.subList(7 * round, 7 * round + 7);
      assertThat(one).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6);
      rounds.add(one);
    }
    assertThat(rounds).hasSize(3);
    ExampleOrder again = new ExampleOrder(7, 5);
    assertThat(again.take(10)).isEqualTo(taken.subList(0, 10));
    assertThat(again.take(11)).isEqualTo(taken.subList(10, 21));
    assertThat(new ExampleOrder(7, 6).take(21)).isNotEqualTo(taken);
  }
}
