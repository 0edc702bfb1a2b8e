package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.f64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.plan.MergePlan;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Fisher merging against decimal arithmetic and closed forms. */
class FisherMergeTest {

  /** A few roundings of f64, as a share of the value. */
  private static final double F64_ROUNDINGS = 1e-14;

  private static final double FLOOR = 1e-6;
  private static final double NO_FLOOR = 0;

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({
    "true, 1e-6, false, 2",
    "true, 0, false, 3",
    "false, 1e-6, false, 4",
    "false, 0, true, 2",
    "true, 1e-3, true, 3"
  })
  void agreesWithDecimalArithmetic(boolean normalize, double floor, boolean first, int models) {
    List<Double> weights = List.of(0.2, 0.5, 1.0, 0.1).subList(0, models);
    assertMean(new FisherMerge(weights, normalize, floor, first), DType.F64, 0, 1, 63, 64, 65, 200);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
  void isRoundedOnceIntoTheOutputType(DType dtype) {
    assertMean(new FisherMerge(List.of(1.0, 3.0, 2.0), true, FLOOR, false), dtype, 191, 193, 2000);
  }

  /** Several tensors, since the norm is over all of them. */
  private void assertMean(FisherMerge method, DType dtype, long... sizes) {
    int models = method.weights().size();
    DType[] types = {dtype, DType.BF16, DType.F32, DType.F16};
    try (Scenario scenario = new Scenario(folder)) {
      double[][][] fisher = new double[models][sizes.length][];
      for (int i = 0; i < models; i++) {
        List<TestTensor> theta = new ArrayList<>();
        List<TestTensor> diagonal = new ArrayList<>();
        for (int t = 0; t < sizes.length; t++) {
          theta.add(random("t" + t, types[i], 100 * i + t, sizes[t]));
          diagonal.add(fisher("t" + t, 100 * i + t, sizes[t]));
        }
        scenario.model(theta.toArray(TestTensor[]::new));
        scenario.fisher(diagonal.toArray(TestTensor[]::new));
      }
      Checkpoint result = scenario.run(method);
      List<MergePlan.Merged> merged = scenario.plan(method).merged();
      for (int t = 0; t < sizes.length; t++) {
        for (int i = 0; i < models; i++) {
          fisher[i][t] = merged.get(t).operands().fisher().get(i).view().toDoubles();
        }
      }
      BigDecimal[] coefficients = new BigDecimal[models];
      for (int i = 0; i < models; i++) {
        BigDecimal norm = method.normalize() ? ExactMean.norm(fisher[i]) : BigDecimal.ONE;
        coefficients[i] =
            BigDecimal.valueOf(method.weights().get(i)).divide(norm, ExactMean.DIGITS);
      }
      for (int t = 0; t < sizes.length; t++) {
        for (int k = 0; k < sizes[t]; k++) {
          assertMean(method, result.tensor("t" + t), merged.get(t), coefficients, k);
        }
      }
    }
  }

  private static void assertMean(
      FisherMerge method,
      TensorView result,
      MergePlan.Merged sources,
      BigDecimal[] coefficients,
      int k) {
    double[] theta = new double[coefficients.length];
    BigDecimal[] weights = new BigDecimal[coefficients.length];
    for (int i = 0; i < theta.length; i++) {
      theta[i] = value(sources.operands().theta().get(i).view(), k);
      double information = value(sources.operands().fisher().get(i).view(), k);
      boolean floored = i == 0 || !method.favorFirst();
      weights[i] =
          coefficients[i].multiply(
              new BigDecimal(floored ? Math.max(information, method.floor()) : information));
    }
    BigDecimal exact = ExactMean.of(weights, theta);
    if (result.dtype() == DType.F64) {
      double largest = 0;
      for (double one : theta) {
        largest = Math.max(largest, Math.abs(one));
      }
      assertThat(value(result, k)).isCloseTo(exact.doubleValue(), within(F64_ROUNDINGS * largest));
    } else {
      ExactMean.assertNearest(result, k, exact);
    }
  }

  private static double value(TensorView tensor, int k) {
    double[] value = new double[1];
    tensor.read(k, 1, value);
    return value[0];
  }

  /** Squares of normal deviates over six orders of magnitude, as real Fisher information is. */
  private static TestTensor fisher(String name, long seed, long size) {
    SplittableRandom random = new SplittableRandom(~seed);
    float[] values = new float[(int) size];
    for (int k = 0; k < values.length; k++) {
      values[k] =
          (float) (Math.pow(random.nextGaussian(), 2) * Math.pow(10, -6 * random.nextDouble()));
    }
    return f32(name, Shape.of(size), values);
  }

  @Test
  void constantInformationGivesTheLinearMean() {
    float[] quarter = new float[300];
    Arrays.fill(quarter, 0.25f);
    TestTensor flat = f32("w", Shape.of(300), quarter);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(random("w", DType.F64, 1, 300)).fisher(flat);
      scenario.model(random("w", DType.F64, 2, 300)).fisher(flat);
      List<Double> weights = List.of(0.3, 0.7);
      double[] linear = scenario.run(new LinearMerge(weights)).tensor("w").toDoubles();
      for (boolean normalize : new boolean[] {true, false}) {
        FisherMerge method = new FisherMerge(weights, normalize, FLOOR, false);
        assertThat(scenario.run(method).tensor("w").toDoubles())
            .usingComparatorWithPrecision(F64_ROUNDINGS)
            .containsExactly(linear);
      }
    }
  }

  @Test
  void noInformationAnywhereAndNoFloorGivesTheLinearMean() {
    TestTensor zero = f32("w", Shape.of(100), new float[100]);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(random("w", DType.F64, 1, 100)).fisher(zero);
      scenario.model(random("w", DType.F64, 2, 100)).fisher(zero);
      for (boolean normalize : new boolean[] {true, false}) {
        FisherMerge fisher = new FisherMerge(List.of(3.0, 1.0), normalize, NO_FLOOR, false);
        CheckpointAssertions.assertSameTensors(
            scenario.run(fisher), scenario.run(new LinearMerge(List.of(3.0, 1.0))));
      }
    }
  }

  /** 0/0 in the published code: λ = 0 silences one model, F = 0 the other. */
  @Test
  void whereNoModelHasASayTheWeightsDecide() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", Shape.of(2), 1, 2)).fisher(f32("w", Shape.of(2), 5, 5));
      scenario.model(f64("w", Shape.of(2), 7, 8)).fisher(f32("w", Shape.of(2), 0, 3));
      FisherMerge method = new FisherMerge(List.of(0.0, 1.0), false, NO_FLOOR, false);
      assertThat(scenario.run(method).tensor("w").toDoubles()).containsExactly(7, 8);
    }
  }

  @Test
  void theScaleOfOneModelsInformationDoesNotMatterWhenNormalised() {
    float[] values = fisherValues(50);
    float[] thousandfold = new float[50];
    for (int k = 0; k < 50; k++) {
      thousandfold[k] = values[k] * 1024;
    }
    FisherMerge method = new FisherMerge(List.of(), true, NO_FLOOR, false);
    assertThat(mergedWith(values, method)).isEqualTo(mergedWith(thousandfold, method));
    FisherMerge unnormalised = new FisherMerge(List.of(), false, NO_FLOOR, false);
    assertThat(mergedWith(values, unnormalised))
        .isNotEqualTo(mergedWith(thousandfold, unnormalised));
    for (int k = 0; k < 50; k++) {
      thousandfold[k] = values[k] * 1000;
    }
    double[] expected = mergedWith(values, method);
    double[] found = mergedWith(thousandfold, method);
    for (int k = 0; k < 50; k++) {
      // 1000 F is rounded to f32.
      assertThat(found[k]).isCloseTo(expected[k], within(1e-6));
    }
  }

  private double[] mergedWith(float[] firstFisher, FisherMerge method) {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(random("w", DType.F64, 1, 50)).fisher(f32("w", Shape.of(50), firstFisher));
      scenario
          .model(random("w", DType.F64, 2, 50))
          .fisher(f32("w", Shape.of(50), fisherValues(51)).renamed("w"));
      return scenario.run(method).tensor("w").toDoubles();
    }
  }

  private static float[] fisherValues(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[50];
    for (int k = 0; k < values.length; k++) {
      values[k] = (float) Math.pow(random.nextGaussian(), 2);
    }
    return values;
  }

  @Test
  void theFirstModelDecidesWhatNoDataTouched() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", Shape.of(2), 1, 1)).fisher(f32("w", Shape.of(2), 0, 0));
      scenario.model(f64("w", Shape.of(2), 5, 5)).fisher(f32("w", Shape.of(2), 0, 3e-6f));
      double[] favoured =
          scenario.run(new FisherMerge(List.of(), false, FLOOR, true)).tensor("w").toDoubles();
      double[] even =
          scenario.run(new FisherMerge(List.of(), false, FLOOR, false)).tensor("w").toDoubles();
      // (1e-6·1 + 0·5) / 1e-6 and (1e-6·1 + 3e-6·5) / 4e-6; both floored: (1 + 5) / 2.
      assertThat(favoured[0]).isEqualTo(1);
      assertThat(favoured[1]).isCloseTo(4, Percentage.withPercentage(1e-5));
      assertThat(even[0]).isEqualTo(3);
      assertThat(even[1]).isCloseTo(4, Percentage.withPercentage(1e-5));
    }
  }

  @Test
  void reportsTheParametersAsTheyTookEffect() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", Shape.of(2), 1, 1)).fisher(f32("w", Shape.of(2), 3, 4));
      scenario.model(f64("w", Shape.of(2), 5, 5)).fisher(f32("w", Shape.of(2), 0, 0));
      FisherMerge method = new FisherMerge(List.of(3.0, 1.0), true, FLOOR, false);
      Merger merger = new Merger(scenario.plan(method), false, 2, LinearAlgebra::reference);
      var parameters = Objects.requireNonNull(merger.prepare().get(method)).parameters();
      assertThat(parameters)
          .containsEntry("method", "fisher")
          .containsEntry("weights", new double[] {0.75, 0.25})
          .containsEntry("fisherNorms", new double[] {5, 0})
          .containsEntry("floor", FLOOR)
          .containsEntry("normalize", true)
          .containsEntry("favorFirst", false);
    }
  }
}
