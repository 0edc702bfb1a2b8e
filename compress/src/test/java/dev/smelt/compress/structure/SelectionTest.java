package dev.smelt.compress.structure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.prune.Share;
import dev.smelt.formats.UsageException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SelectionTest {

  private static final Selection HEADS = new Selection("heads", 1, false);

  @ParameterizedTest
  @CsvSource({
    "0.29, 100, 29",
    "0.3, 10, 3",
    "0.7, 10, 7",
    "0.1, 9, 0",
    "0, 5, 0",
    "0.999999, 3, 2",
    "0.5, 7, 3",
    "1e-9, 1000000, 0",
    "0.57, 100, 57"
  })
  void countsAreThoseOfTheNumberAsItIsWritten(double sparsity, int n, int goes) {
    assertThat(Share.of(sparsity, n)).isEqualTo(goes);
    assertThat(HEADS.ofEach(List.of(new double[n]), sparsity).getFirst()).hasSize(goes);
  }

  @Test
  void theSmallestGoAndOfEqualOnesTheFirst() {
    List<int[]> gone =
        HEADS.ofEach(List.of(new double[] {3, 1, 2, 1, 1}, new double[] {-1, 0, -0.0, -2, 5}), 0.4);
    assertThat(gone.get(0)).containsExactly(1, 3);
    assertThat(gone.get(1)).containsExactly(0, 3);
    assertThat(HEADS.ofEach(List.of(new double[8]), 0.5).getFirst()).containsExactly(0, 1, 2, 3);
  }

  @Test
  void overallTheSmallestOfAllLayersGoButTheLastOfALayer() {
    double[] low = {1, 2, 3};
    double[] high = {10, 20, 30};
    List<int[]> gone = HEADS.overall(List.of(low, high), 0.5);
    assertThat(gone.get(0)).containsExactly(0, 1);
    assertThat(gone.get(1)).containsExactly(0);
    List<int[]> equal = HEADS.overall(List.of(new double[3], new double[3]), 0.5);
    assertThat(equal.get(0)).containsExactly(0, 1);
    assertThat(equal.get(1)).containsExactly(0);
  }

  @Test
  void overallAgreesWithTryingAllChoices() {
    Random random = new Random(1);
    for (int round = 0; round < 200; round++) {
      List<double[]> scores = new ArrayList<>();
      for (int layer = 0; layer < 3; layer++) {
        scores.add(random.doubles(1 + random.nextInt(3)).toArray());
      }
      int n = scores.stream().mapToInt(layer -> layer.length).sum();
      int goes = random.nextInt(n - 2);
      double sparsity = BigDecimal.valueOf(goes + 0.5).doubleValue() / n;
      List<int[]> gone = HEADS.overall(scores, sparsity);
      assertThat(gone.stream().mapToInt(layer -> layer.length).sum()).isEqualTo(goes);
      assertThat(sum(scores, gone))
          .isEqualTo(least(scores, goes), org.assertj.core.api.Assertions.within(1e-12));
      for (int layer = 0; layer < 3; layer++) {
        assertThat(gone.get(layer).length).isLessThan(scores.get(layer).length);
      }
    }
  }

  private static double sum(List<double[]> scores, List<int[]> gone) {
    double sum = 0;
    for (int layer = 0; layer < scores.size(); layer++) {
      for (int index : gone.get(layer)) {
        sum += scores.get(layer)[index];
      }
    }
    return sum;
  }

  /** The least sum of all choices of that many that leave one of each layer. */
  private static double least(List<double[]> scores, int goes) {
    double[] all = scores.stream().flatMapToDouble(Arrays::stream).toArray();
    int[] layerOf =
        IntStream.range(0, scores.size())
            .flatMap(layer -> IntStream.generate(() -> layer).limit(scores.get(layer).length))
            .toArray();
    double least = Double.POSITIVE_INFINITY;
    for (int mask = 0; mask < 1 << all.length; mask++) {
      int[] left = scores.stream().mapToInt(layer -> layer.length).toArray();
      double sum = 0;
      for (int i = 0; i < all.length; i++) {
        if ((mask >> i & 1) == 1) {
          left[layerOf[i]]--;
          sum += all[i];
        }
      }
      if (Integer.bitCount(mask) == goes && Arrays.stream(left).allMatch(one -> one > 0)) {
        least = Math.min(least, sum);
      }
    }
    return least;
  }

  @ParameterizedTest
  @CsvSource({"12, 4, 0.5, 4", "12, 4, 0.1, 0", "10, 4, 0.5, 2", "64, 8, 0.33, 16", "5, 4, 0.2, 1"})
  void whatStaysIsRoundedUpToAMultiple(int n, int multiple, double sparsity, int goes) {
    double[] scores = IntStream.range(0, n).mapToDouble(i -> n - i).toArray();
    int[] gone =
        new Selection("heads", multiple, false).ofEach(List.of(scores), sparsity).getFirst();
    assertThat(gone).containsExactly(IntStream.range(n - goes, n).toArray());
    assertThat(n - gone.length)
        .satisfiesAnyOf(
            stays -> assertThat(stays % multiple).isZero(),
            stays -> assertThat(stays).isEqualTo(n));
  }

  @Test
  void overallTheLargestComeBack() {
    List<int[]> gone =
        new Selection("heads", 2, false)
            .overall(List.of(new double[] {1, 2, 3, 90}, new double[] {5, 60, 70, 80}), 0.5);
    // 1, 2, 3 and 5 would go, which leaves 1 and 3.
    assertThat(gone.get(0)).containsExactly(0, 1);
    assertThat(gone.get(1)).isEmpty();
  }

  @Test
  void multiplesThatLieBeyondAreRefused() {
    assertThatThrownBy(() -> new Selection("heads", 4, false).ofEach(List.of(new double[6]), 0.2))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("5 of 6 heads would stay, and no multiple of 4 is in between");
    assertThatThrownBy(() -> new Selection("heads", 7, false).ofEach(List.of(new double[6]), 0.5))
        .isInstanceOf(UsageException.class);
  }

  @ParameterizedTest
  @ValueSource(doubles = {-0.1, 1, 1.5, Double.NaN, Double.POSITIVE_INFINITY})
  void otherSharesAreRefused(double sparsity) {
    assertThatThrownBy(() -> HEADS.ofEach(List.of(new double[4]), sparsity))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--sparsity");
    assertThatThrownBy(() -> HEADS.overall(List.of(new double[4]), sparsity))
        .isInstanceOf(UsageException.class);
  }

  @Test
  void moreThanMayGoIsRefused() {
    assertThatThrownBy(() -> HEADS.overall(List.of(new double[2], new double[2]), 0.75))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("3 of 4 heads would go, and 2 may at most");
  }

  @Test
  void ofProtectedOnesNoneGoes() {
    double[] scores = {0, 1, 9, 7, 8, 0};
    Selection blocks = new Selection("blocks", 1, false);
    int[] free = {2, 3, 4};
    assertThat(blocks.among(scores, free, 0.34)).containsExactly(3, 4);
    assertThat(blocks.among(scores, free, 0.5)).containsExactly(2, 3, 4);
    assertThatThrownBy(() -> blocks.among(scores, free, 0.7))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("4 of 6 blocks would go, and 3 may at most");
  }

  @Test
  void onTheWayALayerThatHasNoMultipleStays() {
    double[] scores = {5, 1, 4, 2, 3, 6};
    Selection step = new Selection("heads", 4, true);
    assertThat(step.ofEach(List.of(scores), 0.2).getFirst()).isEmpty();
    assertThat(step.ofEach(List.of(scores), 0.4).getFirst()).containsExactly(1, 3);
  }
}
