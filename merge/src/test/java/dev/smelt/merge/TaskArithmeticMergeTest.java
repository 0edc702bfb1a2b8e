package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.TaskArithmeticMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.Operand;
import java.lang.foreign.ValueLayout;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Task arithmetic against decimals. */
class TaskArithmeticMergeTest {

  @TempDir private Path folder;

  private static Stream<Arguments> settings() {
    return Stream.of(
        Arguments.of(List.of(), 1.0, false),
        Arguments.of(List.of(0.3, 0.5), 1.0, false),
        Arguments.of(List.of(1.0, 1.0), 0.4, false),
        Arguments.of(List.of(1.0, -1.0), 1.0, false),
        Arguments.of(List.of(0.5, 0.5), 1.0, false),
        Arguments.of(List.of(3.0, 1.0), 0.5, true),
        Arguments.of(List.of(-1.0, -1.0), 0.7, true),
        Arguments.of(List.of(0.0, 0.0), 1.0, false));
  }

  /** θ₀ + λ Σ wᵢ(θᵢ − θ₀) to 60 digits, each result the nearest that its type has. */
  @ParameterizedTest
  @MethodSource("settings")
  void everyElementIsCorrectlyRounded(List<Double> weights, double scale, boolean normalize) {
    for (DType dtype : List.of(DType.BF16, DType.F16, DType.F32)) {
      TestTensor[] models = new TestTensor[3];
      for (int i = 0; i < models.length; i++) {
        models[i] = random("w", dtype, 70 + i, 2000);
      }
      try (Scenario scenario = new Scenario(folder)) {
        for (TestTensor model : models) {
          scenario.model(model);
        }
        MergeMethod method = new TaskArithmeticMerge(weights, scale, normalize);
        List<TensorView> theta =
            scenario.plan(method).merged().getFirst().operands().theta().stream()
                .map(Operand::view)
                .toList();
        double[] base = theta.get(0).toDoubles();
        double[] first = theta.get(1).toDoubles();
        double[] second = theta.get(2).toDoubles();
        BigDecimal u = BigDecimal.valueOf(weights.isEmpty() ? 1 : weights.get(0));
        BigDecimal v = BigDecimal.valueOf(weights.isEmpty() ? 1 : weights.get(1));
        BigDecimal factor = BigDecimal.valueOf(scale);
        BigDecimal divisor = normalize ? u.add(v) : BigDecimal.ONE;
        TensorView merged = scenario.run(method).tensor("w");
        for (int k = 0; k < base.length; k++) {
          BigDecimal from = new BigDecimal(base[k]);
          BigDecimal change =
              u.multiply(new BigDecimal(first[k]).subtract(from))
                  .add(v.multiply(new BigDecimal(second[k]).subtract(from)));
          BigDecimal exact = from.add(factor.multiply(change).divide(divisor, new MathContext(60)));
          ExactMean.assertNearest(merged, k, exact);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16", "F8_E4M3"})
  void oneWholeChangeIsThatModelAndNoneIsTheBase(DType dtype) {
    TestTensor base = random("w", dtype, 1, 500);
    TestTensor model = random("w", dtype, 2, 500);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(base).model(model);
      assertThat(bytes(scenario, List.of(1.0), false)).isEqualTo(model.bytes());
      assertThat(bytes(scenario, List.of(), false)).isEqualTo(model.bytes());
      assertThat(bytes(scenario, List.of(-7.0), true)).isEqualTo(model.bytes());
      assertThat(bytes(scenario, List.of(0.0), false)).isEqualTo(base.bytes());
    }
  }

  private static byte[] bytes(Scenario scenario, List<Double> weights, boolean normalize) {
    return scenario
        .run(new TaskArithmeticMerge(weights, 1, normalize))
        .tensor("w")
        .segment()
        .toArray(ValueLayout.JAVA_BYTE);
  }

  @Test
  void changesThatAreSmallBesideTheBaseKeepTheirDigits() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(2), 1e30f, 1)).model(f32("w", Shape.of(2), 1e-30f, 3));
      assertThat(
              scenario.run(new TaskArithmeticMerge(List.of(1.0), 1, false)).tensor("w").toFloats())
          .containsExactly(1e-30f, 3);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void theOrderOfModelsDoesNotMatter(DType dtype) {
    TestTensor base = random("w", dtype, 5, 800);
    TestTensor a = random("w", dtype, 6, 800);
    TestTensor b = random("w", dtype, 7, 800);
    try (Scenario one = new Scenario(folder);
        Scenario other = new Scenario(folder)) {
      one.model(base).model(a).model(b);
      other.model(base).model(b).model(a);
      assertThat(bytes(one, List.of(0.3, 0.9), false))
          .isEqualTo(bytes(other, List.of(0.9, 0.3), false));
    }
  }
}
