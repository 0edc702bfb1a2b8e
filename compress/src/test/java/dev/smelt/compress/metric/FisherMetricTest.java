package dev.smelt.compress.metric;

import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weight;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistics;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class FisherMetricTest {

  private static final double EPSILON = 1e-6;
  private static final double ROUNDING = 1e-15;

  /** Sums over rows 6 and 15, mean 10.5; over columns 5, 7 and 9, mean 7. */
  private static final float[] INFORMATION = {1, 2, 3, 4, 5, 6};

  private static final double[] OF_ROWS = {
    Math.sqrt(6 / 10.5 + EPSILON), Math.sqrt(15 / 10.5 + EPSILON)
  };
  private static final double[] OF_COLUMNS = {
    Math.sqrt(5 / 7.0 + EPSILON), Math.sqrt(1 + EPSILON), Math.sqrt(9 / 7.0 + EPSILON)
  };

  @TempDir private Path folder;

  @Test
  void theInputSideSumsOverOutputs() {
    Metric.Weighted weighted = weighted(Side.INPUT, false, INFORMATION);
    assertThat(weighted.weighting().left()).isEqualTo(Weight.NONE);
    assertWeights(weighted.weighting().right(), OF_COLUMNS);
    assertThat(weighted.remark()).isEmpty();
    assertThat(weighted.weighting().isIdentity()).isFalse();
  }

  /** Half of the mean information of a weight: ½ Σ F Δ² is the loss. */
  @ParameterizedTest
  @EnumSource(Side.class)
  void theLossIsPredictedFromTheMeanInformation(Side side) {
    double total = 0;
    for (float value : INFORMATION) {
      total += value;
    }
    assertThat(weighting(side, false, INFORMATION).lossPerEnergy())
        .isCloseTo(total / INFORMATION.length / 2, within(1e-12 * total));
  }

  @Test
  void theOutputSideSumsOverInputs() {
    Weighting weighting = weighting(Side.OUTPUT, false, INFORMATION);
    assertWeights(weighting.left(), OF_ROWS);
    assertThat(weighting.right()).isEqualTo(Weight.NONE);
  }

  @Test
  void bothSidesHaveBoth() {
    Weighting weighting = weighting(Side.BOTH, false, INFORMATION);
    assertWeights(weighting.left(), OF_ROWS);
    assertWeights(weighting.right(), OF_COLUMNS);
  }

  @Test
  void ofATransposedMatrixRowsAreInputs() {
    assertWeights(weighting(Side.INPUT, true, INFORMATION).right(), OF_ROWS);
    assertWeights(weighting(Side.OUTPUT, true, INFORMATION).left(), OF_COLUMNS);
  }

  @Test
  void theScaleOfTheInformationDoesNotMatter() {
    float[] tiny = INFORMATION.clone();
    for (int i = 0; i < tiny.length; i++) {
      tiny[i] *= 0x1p-100f;
    }
    assertWeights(weighting(Side.INPUT, false, tiny).right(), OF_COLUMNS);
  }

  @Test
  void anInputWithoutInformationKeepsAWeight() {
    Weight right = weighting(Side.INPUT, false, 0, 1, 1, 0, 1, 1).right();
    assertThat(((Weight.Diagonal) right).roots()[0]).isEqualTo(Math.sqrt(EPSILON));
  }

  @Test
  void noInformationAtAllIsPlainAndSaidSo() {
    for (Side side : Side.values()) {
      Metric.Weighted weighted = weighted(side, false, new float[6]);
      assertThat(weighted.weighting()).isEqualTo(new Weighting(Weight.NONE, Weight.NONE, 0));
      assertThat(weighted.remark()).hasValueSatisfying(text -> assertThat(text).contains("plain"));
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, -1e-20f})
  void invalidInformationIsRefused(float value) {
    assertThatThrownBy(() -> weighting(Side.INPUT, false, 1, 1, 1, 1, 1, value))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining(folder + "/statistics.safetensors|diag/m.weight")
        .hasMessageContaining("found " + (double) value)
        .hasMessageContaining("row 1, column 2");
  }

  @Test
  void anotherShapeIsRefused() {
    TestTensor flat = f32("m.weight", Shape.of(3, 2), INFORMATION);
    assertThatThrownBy(() -> weighted(Side.INPUT, false, flat))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("|diag/m.weight]")
        .hasMessageContaining("expected [2,3], found [3,2]");
  }

  @Test
  void aMissingMatrixIsRefused() {
    TestTensor other = f32("n.weight", Shape.of(2, 3), INFORMATION);
    assertThatThrownBy(() -> weighted(Side.INPUT, false, other))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("|m.weight]")
        .hasMessageContaining("--exclude");
  }

  private Weighting weighting(Side side, boolean transposed, float... information) {
    return weighted(side, transposed, information).weighting();
  }

  private Metric.Weighted weighted(Side side, boolean transposed, float... information) {
    return weighted(side, transposed, f32("m.weight", Shape.of(2, 3), information));
  }

  private Metric.Weighted weighted(Side side, boolean transposed, TestTensor information) {
    Path file = folder.resolve("statistics.safetensors");
    TestCheckpoints.file(file, List.of(information.renamed("diag/" + information.name())));
    TestTensor weight = f32("m.weight", Shape.of(2, 3), new float[6]);
    TensorView view = new TensorView(weight.info(), MemorySegment.ofArray(weight.bytes()));
    try (Statistics statistics = Statistics.open(file);
        LinearAlgebra algebra = LinearAlgebra.reference()) {
      return new FisherMetric(statistics, side)
          .weighting(algebra, new Layer(Path.of("model"), "m", view, transposed, Optional.empty()));
    }
  }

  private static void assertWeights(Weight actual, double[] expected) {
    assertThat(((Weight.Diagonal) actual).roots())
        .usingComparatorWithPrecision(ROUNDING)
        .containsExactly(expected);
  }
}
