package dev.smelt.merge.fusion;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against a sort. */
class OrderStatisticsTest {

  private static double[] of(double[] values, long... ranks) {
    return new OrderStatistics(
            (first, count, target) -> System.arraycopy(values, (int) first, target, 0, count),
            values.length)
        .of(ranks);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 4095, 4096, 4097, 20000})
  void itIsTheSortedSequence(int size) {
    double[] values = new SplittableRandom(size).doubles(size, 0, 1).toArray();
    double[] sorted = Arrays.stream(values).sorted().toArray();
    assertThat(of(values, 0, size / 4, size / 2, size - 1))
        .containsExactly(sorted[0], sorted[size / 4], sorted[size / 2], sorted[size - 1]);
  }

  @Test
  void equalValuesAndEndsOfTheRange() {
    double[] values = {
      0, 1, Double.MAX_VALUE, -0.0, Double.MIN_VALUE, 1, 1, Double.MIN_NORMAL, 1 + 0x1p-52
    };
    assertThat(of(values, 0, 1, 2, 3, 4, 5, 6, 7, 8))
        .containsExactly(
            0, 0, Double.MIN_VALUE, Double.MIN_NORMAL, 1, 1, 1, 1 + 0x1p-52, Double.MAX_VALUE);
  }
}
