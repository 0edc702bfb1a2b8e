package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.PassthroughMerge;
import java.lang.foreign.ValueLayout;
import java.math.BigDecimal;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One model, as it is and scaled. */
class PassthroughMergeTest {

  @TempDir private Path folder;

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
  void byOneItIsThatModelBitForBit(DType dtype) {
    TestTensor tensor = random("w", dtype, 1, 700);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(tensor);
      assertThat(
              scenario
                  .run(new PassthroughMerge(1))
                  .tensor("w")
                  .segment()
                  .toArray(ValueLayout.JAVA_BYTE))
          .isEqualTo(tensor.bytes());
    }
  }

  @Test
  void zerosKeepTheirSigns() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(2), -0f, 0f));
      assertThat(scenario.run(new PassthroughMerge(1)).tensor("w").toFloats())
          .containsExactly(-0f, 0f);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.5, 0.1, -0.7, 3, 0})
  void productsAreCorrectlyRounded(double scale) {
    for (DType dtype : new DType[] {DType.BF16, DType.F16, DType.F32}) {
      try (Scenario scenario = new Scenario(folder)) {
        scenario.model(random("w", dtype, 5, 1500));
        double[] theta =
            scenario
                .plan(new PassthroughMerge(1))
                .merged()
                .getFirst()
                .operands()
                .theta()
                .getFirst()
                .view()
                .toDoubles();
        TensorView merged = scenario.run(new PassthroughMerge(scale)).tensor("w");
        for (int k = 0; k < theta.length; k++) {
          ExactMean.assertNearest(
              merged, k, new BigDecimal(theta[k]).multiply(BigDecimal.valueOf(scale)));
        }
      }
    }
  }

  @Test
  void nonFiniteValuesAreRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(2), 1, Float.NaN));
      assertThatThrownBy(() -> scenario.run(new PassthroughMerge(1)))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining("index 1");
    }
  }
}
