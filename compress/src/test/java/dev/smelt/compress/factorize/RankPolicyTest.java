package dev.smelt.compress.factorize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.factorize.RankPolicy.KeepRatio;
import dev.smelt.compress.factorize.RankPolicy.MaxError;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RankPolicyTest {

  @ParameterizedTest
  @CsvSource({
    "192, 576, 0.5, 72",
    "192, 192, 0.5, 48",
    "768, 192, 0.5, 76",
    // 0.58 · 100 · 100 / 200 = 29, but 28.999999999999996 in doubles.
    "100, 100, 0.58, 29",
    "100, 100, 1, 50",
    "100, 100, 0.001, 1",
    "1, 50, 1, 1",
    "3, 3, 1, 1"
  })
  void theRatioIsOfTheElements(int out, int in, double ratio, int rank) {
    double[] energy = new double[Math.min(out, in)];
    assertThat(new KeepRatio(ratio).rank(layer(out, in, false), energy)).isEqualTo(rank);
    assertThat(new KeepRatio(ratio).rank(layer(in, out, true), energy)).isEqualTo(rank);
    assertThat(new KeepRatio(ratio).promisedError()).isInfinite();
  }

  private static Layer layer(long rows, long cols, boolean transposed) {
    TensorInfo info = new TensorInfo("m.weight", DType.F8_E4M3, Shape.of(rows, cols));
    MemorySegment bytes = MemorySegment.ofArray(new byte[(int) (rows * cols)]);
    return new Layer(Path.of("model"), "m", new TensorView(info, bytes), transposed);
  }

  /** σ² = 16, 8, 4, 2, 1, …: shares of the tail are 15/31, 7/31, 3/31, 1/31, 0. */
  @ParameterizedTest
  @CsvSource({
    "0.999, 1",
    "0.70, 1",
    "0.69, 2",
    "0.48, 2",
    "0.47, 3",
    "0.32, 3",
    "0.31, 4",
    "0.18, 4",
    "0.17, 5",
    "0, 5"
  })
  void theSmallestRankWithinTheError(double limit, int rank) {
    double[] energy = {16, 8, 4, 2, 1};
    assertThat(new MaxError(limit).rank(layer(5, 5, false), energy)).isEqualTo(rank);
  }

  @Test
  void aSmallTailIsNotLostInALargeTotal() {
    double[] energy = new double[1001];
    Arrays.fill(energy, 1e-17);
    energy[0] = 1;
    // Σ of the tail is 1e-14 though each term vanishes beside 1; 0.81e-14 may go.
    assertThat(new MaxError(1.1e-7).rank(layer(1001, 1001, false), energy)).isEqualTo(1);
    assertThat(new MaxError(0.9e-7).rank(layer(1001, 1001, false), energy)).isEqualTo(191);
  }

  @Test
  void aZeroMatrixKeepsOneDirection() {
    assertThat(new MaxError(0).rank(layer(3, 3, false), new double[3])).isEqualTo(1);
  }

  @Test
  void anErrorOfZeroAsksForEverythingAndPromisesNothing() {
    assertThat(new MaxError(0).promisedError()).isInfinite();
    assertThat(new MaxError(0.01).promisedError()).isEqualTo(0.01);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.5, 1.5, Double.NaN, Double.POSITIVE_INFINITY})
  void aRatioOutOfRangeIsRefused(double ratio) {
    assertThatThrownBy(() -> new KeepRatio(ratio))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--keep " + ratio);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, -0.1, 2, Double.NaN})
  void anErrorOutOfRangeIsRefused(double limit) {
    assertThatThrownBy(() -> new MaxError(limit))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--max-error " + limit);
  }
}
