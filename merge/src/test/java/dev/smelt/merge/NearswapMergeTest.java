package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.NearswapMerge;
import dev.smelt.merge.method.Operand;
import java.lang.foreign.ValueLayout;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Nearswap against its equation in decimals. */
class NearswapMergeTest {

  @TempDir private Path folder;

  /** θ₁ + min(1, t/|θ₂ − θ₁|)(θ₂ − θ₁) to 60 digits, each result the nearest that its type has. */
  @ParameterizedTest
  @ValueSource(doubles = {1e-4, 0.01, 0.02, 5})
  void everyElementIsCorrectlyRounded(double t) {
    for (DType dtype : List.of(DType.BF16, DType.F16, DType.F32)) {
      try (Scenario scenario = new Scenario(folder)) {
        scenario.model(random("w", dtype, 1, 1500)).model(random("w", dtype, 2, 1500));
        NearswapMerge method = new NearswapMerge(t);
        List<Operand> theta = scenario.plan(method).merged().getFirst().operands().theta();
        double[] a = theta.get(0).view().toDoubles();
        double[] b = theta.get(1).view().toDoubles();
        TensorView merged = scenario.run(method).tensor("w");
        for (int k = 0; k < a.length; k++) {
          BigDecimal from = new BigDecimal(a[k]);
          BigDecimal way = new BigDecimal(b[k]).subtract(from);
          BigDecimal share =
              way.signum() == 0
                  ? BigDecimal.ONE
                  : BigDecimal.valueOf(t).divide(way.abs(), ExactMean.DIGITS).min(BigDecimal.ONE);
          ExactMean.assertNearest(merged, k, from.add(share.multiply(way)));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16", "F8_E4M3"})
  void withRoomEnoughItIsTheSecondModel(DType dtype) {
    TestTensor second = random("w", dtype, 4, 600);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(random("w", dtype, 3, 600)).model(second);
      assertThat(
              scenario
                  .run(new NearswapMerge(1e6))
                  .tensor("w")
                  .segment()
                  .toArray(ValueLayout.JAVA_BYTE))
          .isEqualTo(second.bytes());
    }
  }

  @Test
  void nearValuesAreSwappedAndFarOnesMovedByT() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario
          .model(f64("w", Shape.of(5), 1, 1, 1, 1, -1e300))
          .model(f64("w", Shape.of(5), 1.25, 1.5, 9, -9, Double.MAX_VALUE));
      assertThat(scenario.run(new NearswapMerge(0.5)).tensor("w").toDoubles())
          .containsExactly(1.25, 1.5, 1.5, 0.5, -1e300);
    }
  }
}
