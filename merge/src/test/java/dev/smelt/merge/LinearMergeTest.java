package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.method.Operand;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Linear merging against decimal arithmetic. */
class LinearMergeTest {

  private static final List<DType> MIX =
      List.of(DType.BF16, DType.F64, DType.F32, DType.F16, DType.F8_E4M3, DType.F8_E5M2);

  /** Around the ends of chunks and parts. */
  private static final long[] SIZES = {0, 1, 63, 64, 65, 128, 191, 192, 193, 500};

  @TempDir private Path folder;

  private static Stream<Arguments> weights() {
    return Stream.of(
        Arguments.of(List.of(0.6, 0.4)),
        Arguments.of(List.of(0.4, 0.6)),
        Arguments.of(List.of(1.0, 2.0)),
        Arguments.of(List.of()),
        Arguments.of(List.of(0.6, 0.6, 0.6)),
        Arguments.of(List.of(0.1, 0.2, 0.3)),
        Arguments.of(List.of(1.0, 1.0, 1.0, 4.0)),
        Arguments.of(List.of(2.0, -1.0)));
  }

  /** Half-way cases are common here: 3a + 2b is often five times an odd multiple of half an ulp. */
  @ParameterizedTest
  @MethodSource("weights")
  void everyBfloatIsTheCorrectlyRoundedMean(List<Double> weights) {
    assertCorrectlyRounded(weights, DType.BF16, 20_000);
  }

  @ParameterizedTest
  @MethodSource("weights")
  void everyHalfIsTheCorrectlyRoundedMean(List<Double> weights) {
    assertCorrectlyRounded(weights, DType.F16, 20_000);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F8_E4M3", "F8_E5M2"})
  void everyOtherTypeIsCorrectlyRounded(DType dtype) {
    assertCorrectlyRounded(List.of(0.6, 0.4), dtype, 5_000);
    assertCorrectlyRounded(List.of(), dtype, 5_000);
  }

  private void assertCorrectlyRounded(List<Double> weights, DType dtype, long size) {
    int models = weights.isEmpty() ? 2 : weights.size();
    TestTensor[] tensors =
        LongStream.range(0, models)
            .mapToObj(seed -> random("w", dtype, seed, size))
            .toArray(TestTensor[]::new);
    assertMean(weights, tensors);
  }

  @Test
  void anyMixOfTypesIsMergedIntoEachOfThem() {
    for (DType output : MIX) {
      for (int models = 2; models <= 4; models++) {
        TestTensor[] tensors = new TestTensor[models];
        for (int i = 0; i < models; i++) {
          // Narrow floats take any of their codes, beyond what other narrow types can hold.
          DType dtype = i == 0 ? output : MIX.get(i % 4);
          tensors[i] = random("w", dtype, 40 + i, 300);
        }
        assertMean(List.of(0.5, 0.25, 0.125, 0.125).subList(0, models), tensors);
      }
    }
  }

  @Test
  void tailsOfChunksAndPartsAreMerged() {
    for (long size : SIZES) {
      assertMean(
          List.of(0.7, 0.3), random("w", DType.F32, size, size), random("w", DType.F16, 7, size));
    }
  }

  @Test
  void smallValuesBesideLargeOnesKeepTheirDigits() {
    TestTensor large = f32("w", Shape.of(2), 1e30f, 1);
    TestTensor small = f32("w", Shape.of(2), 1e-30f, 1e-20f);
    assertMean(List.of(0.0, 1.0), large, small);
  }

  private void assertMean(List<Double> weights, TestTensor... models) {
    try (Scenario scenario = new Scenario(folder)) {
      for (TestTensor model : models) {
        scenario.model(model);
      }
      Checkpoint merged = scenario.run(new LinearMerge(weights));
      TensorView result = merged.tensor("w");
      assertThat(result.info()).isEqualTo(models[0].info());
      double[][] theta = new double[models.length][];
      BigDecimal[] decimals = new BigDecimal[models.length];
      List<TensorView> sources =
          scenario.plan(new LinearMerge(weights)).merged().getFirst().operands().theta().stream()
              .map(Operand::view)
              .toList();
      for (int i = 0; i < models.length; i++) {
        theta[i] = sources.get(i).toDoubles();
        decimals[i] = weights.isEmpty() ? BigDecimal.ONE : BigDecimal.valueOf(weights.get(i));
      }
      for (int k = 0; k < result.elements(); k++) {
        double[] values = new double[models.length];
        for (int i = 0; i < values.length; i++) {
          values[i] = theta[i][k];
        }
        assertMean(result, k, ExactMean.of(decimals, values), values);
      }
    }
  }

  /** Sums of f64 values are not exact in f64, so there it is the error bound of a sum. */
  private static void assertMean(TensorView result, int k, BigDecimal exact, double[] values) {
    if (result.dtype() != DType.F64) {
      ExactMean.assertNearest(result, k, exact);
      return;
    }
    double largest = Arrays.stream(values).map(Math::abs).max().orElseThrow();
    double[] found = new double[1];
    result.read(k, 1, found);
    assertThat(found[0]).isCloseTo(exact.doubleValue(), within(values.length * Math.ulp(largest)));
  }
}
