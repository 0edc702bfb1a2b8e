package dev.smelt.compress.factorize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.factorize.RankChoice.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Spectrum;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RankPolicyTest {

  private static final RankGrid ANY = new RankGrid(1, true);

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
    assertThat(new UniformKeep(ratio).rank(layer(out, in, false), ANY)).isEqualTo(rank);
    assertThat(new UniformKeep(ratio).rank(layer(in, out, true), ANY)).isEqualTo(rank);
    assertThat(new UniformKeep(ratio).promisedError()).isInfinite();
  }

  private static Layer layer(long rows, long cols, boolean transposed) {
    TensorInfo info = new TensorInfo("m.weight", DType.F8_E4M3, Shape.of(rows, cols));
    MemorySegment bytes = MemorySegment.ofArray(new byte[(int) (rows * cols)]);
    return new Layer(
        Path.of("model"), "m", new TensorView(info, bytes), transposed, Optional.empty());
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
    assertThat(choose(new ErrorLimit(limit), ANY, energy)).isEqualTo(new Factors(rank));
  }

  @Test
  void aSmallTailIsNotLostInALargeTotal() {
    double[] energy = new double[1001];
    Arrays.fill(energy, 1e-17);
    energy[0] = 1;
    // Σ of the tail is 1e-14 though each term vanishes beside 1; 0.81e-14 may go.
    assertThat(choose(new ErrorLimit(1.1e-7), ANY, energy)).isEqualTo(new Factors(1));
    assertThat(choose(new ErrorLimit(0.9e-7), ANY, energy)).isEqualTo(new Factors(191));
  }

  @Test
  void aZeroMatrixKeepsOneDirection() {
    assertThat(choose(new ErrorLimit(0), ANY, new double[3])).isEqualTo(new Factors(1));
  }

  /** Break-even of 10x10 is below rank 5. */
  @Test
  void factorsThatWouldNotBeSmallerAreNotChosen() {
    double[] flat = new double[10];
    Arrays.fill(flat, 1);
    RankGrid any = new RankGrid(1, false);
    assertThat(choose(new ErrorLimit(0.8), any, flat)).isEqualTo(new Factors(4));
    assertThat(choose(new ErrorLimit(0.7), any, flat))
        .isEqualTo(new RankChoice.Dense("factors of rank 6 would not be smaller"));
    assertThat(choose(new UniformKeep(1), any, flat))
        .isEqualTo(new RankChoice.Dense("factors of rank 5 would not be smaller"));
    assertThat(any.largest(layer(10, 10, false))).isEqualTo(4);
    assertThat(any.largest(layer(1, 50, false))).isZero();
  }

  @ParameterizedTest
  @CsvSource({"1, 9, 9", "4, 8, 12", "8, 8, 16", "64, 64, 64"})
  void ranksAreMultiples(int multiple, int uniform, int limited) {
    double[] flat = new double[100];
    Arrays.fill(flat, 1);
    RankGrid grid = new RankGrid(multiple, true);
    // ⌊0.19 · 100 · 100 / 200⌋ = 9; an error of 0.955 leaves 91.2 of 100.
    assertThat(choose(new UniformKeep(0.19), grid, flat)).isEqualTo(new Factors(uniform));
    assertThat(choose(new ErrorLimit(0.955), grid, flat)).isEqualTo(new Factors(limited));
  }

  @Test
  void aMultipleAboveTheFullRankLeavesAMatrixDense() {
    assertThat(choose(new UniformKeep(0.5), new RankGrid(8, true), new double[5]))
        .isEqualTo(new RankChoice.Dense("no multiple of 8 is a rank of it"));
  }

  private static RankChoice choose(RankPolicy policy, RankGrid grid, double[] energy) {
    double[] values = Arrays.stream(energy).map(Math::sqrt).toArray();
    double norm = Math.sqrt(Arrays.stream(energy).sum());
    Layer layer = layer(energy.length, energy.length, false);
    SpectralLayer one = new SpectralLayer(layer, new Spectrum(values, norm), 1, DType.F32);
    return policy.choose(List.of(one), grid, 0).getFirst();
  }

  @Test
  void anErrorOfZeroAsksForEverythingAndPromisesNothing() {
    assertThat(new ErrorLimit(0).promisedError()).isInfinite();
    assertThat(new ErrorLimit(0.01).promisedError()).isEqualTo(0.01);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.5, 1.5, Double.NaN, Double.POSITIVE_INFINITY})
  void aRatioOutOfRangeIsRefused(double ratio) {
    assertThatThrownBy(() -> new UniformKeep(ratio))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--keep " + ratio);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, -0.1, 2, Double.NaN})
  void anErrorOutOfRangeIsRefused(double limit) {
    assertThatThrownBy(() -> new ErrorLimit(limit))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--max-error " + limit);
  }
}
