package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.f64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.merge.arc.SlerpMerge;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Slerp against the construction on two orthonormal directions, and what must hold on an arc. */
class SlerpMergeTest {

  @TempDir private Path folder;

  private double[] slerp(double t, TestTensor a, TestTensor b) {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(a).model(b);
      return scenario.run(new SlerpMerge(t)).tensor("w").toDoubles();
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int k = 0; k < a.length; k++) {
      sum += a[k] * b[k];
    }
    return sum;
  }

  private static double[] values(TestTensor tensor, Path folder) {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(tensor).model(tensor);
      return scenario
          .plan(new SlerpMerge(0))
          .merged()
          .getFirst()
          .operands()
          .theta()
          .getFirst()
          .view()
          .toDoubles();
    }
  }

  /**
   * Of unit vectors the point at tΩ from the first is cos(tΩ)u + sin(tΩ)v, with v the direction of
   * the second that is orthogonal to the first. The test tensors have equal norms r.
   */
  @ParameterizedTest
  @ValueSource(doubles = {0.1, 0.25, 0.5, 0.9})
  void ofEqualNormsItIsThePointOnTheArc(double t) {
    TestTensor a = random("w", DType.F64, 1, 30, 11);
    double[] u = values(a, folder);
    double[] b = u.clone();
    // The same numbers in another order have the same norm.
    for (int k = 0; k + 2 < b.length; k += 3) {
      b[k] = u[k + 2];
      b[k + 2] = -u[k];
    }
    double norm = Math.sqrt(dot(u, u));
    double angle = Math.acos(dot(u, b) / norm / norm);
    double[] beside = new double[u.length];
    Arrays.setAll(beside, k -> b[k] - Math.cos(angle) * u[k]);
    double length = Math.sqrt(dot(beside, beside));
    double[] found = slerp(t, a, f64("w", Shape.of(30, 11), b));
    for (int k = 0; k < found.length; k++) {
      double expected =
          Math.cos(t * angle) * u[k] + Math.sin(t * angle) * norm * beside[k] / length;
      assertThat(found[k]).isCloseTo(expected, within(1e-12 * norm));
    }
    assertThat(Math.sqrt(dot(found, found))).isCloseTo(norm, within(1e-12 * norm));
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "BF16", "F16"})
  void atTheEndsItIsThatModelBitForBit(DType dtype) {
    TestTensor a = random("w", dtype, 1, 500);
    TestTensor b = random("w", dtype, 2, 500);
    try (Scenario scenario = new Scenario(folder);
        Scenario first = new Scenario(folder);
        Scenario second = new Scenario(folder)) {
      scenario.model(a).model(b);
      CheckpointAssertions.assertSameTensors(
          scenario.run(new SlerpMerge(0)), first.model(a).model(a).run(new SlerpMerge(0.5)));
      CheckpointAssertions.assertSameTensors(
          scenario.run(new SlerpMerge(1)), second.model(b).model(b).run(new SlerpMerge(0.5)));
    }
  }

  @ParameterizedTest
  @CsvSource({"2, 3", "2, -3", "0, 3", "2, 0", "0, 0"})
  void whereThereIsNoAngleItIsTheMean(float first, float second) {
    float[] a = {first, 2 * first, -first, 0};
    float[] b = {second, 2 * second, -second, 0};
    double[] found = slerp(0.25, f32("w", Shape.of(4), a), f32("w", Shape.of(4), b));
    for (int k = 0; k < a.length; k++) {
      assertThat(found[k]).isEqualTo((float) (0.75 * a[k] + 0.25 * b[k]));
    }
  }

  @Test
  void eachTensorHasItsOwnAngle() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("a", Shape.of(2), 1, 0), f32("b", Shape.of(2), 1, 0));
      scenario.model(f32("a", Shape.of(2), 0, 1), f32("b", Shape.of(2), 3, 0));
      Checkpoint merged = scenario.run(new SlerpMerge(0.5));
      float half = (float) Math.sqrt(0.5);
      assertThat(merged.tensor("a").toFloats())
          .containsExactly(new float[] {half, half}, within(1e-7f));
      assertThat(merged.tensor("b").toFloats()).containsExactly(2, 0);
    }
  }

  @Test
  void valuesWhoseSquaresAreBeyondDoublesHaveAnAngle() {
    double[] a = {1e300, 0, 1e-300};
    double[] b = {0, 1e-200, 0};
    double[] found = slerp(0.5, f64("w", Shape.of(3), a), f64("w", Shape.of(3), b));
    double half = Math.sqrt(0.5);
    assertThat(found[0]).isCloseTo(half * 1e300, within(1e286));
    assertThat(found[1]).isCloseTo(half * 1e-200, within(1e-214));
  }

  @Test
  void neitherThreadsNorSizesOfJobsChangeAByte() {
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i < 2; i++) {
        scenario.model(random("a", DType.F32, i, 3, 211), random("b", DType.BF16, 9 + i, 1000));
      }
      SlerpMerge method = new SlerpMerge(0.4);
      Checkpoint expected = scenario.run(method, Scenario.DEFAULTS, 1);
      MergePlan plan = scenario.plan(method);
      for (int threads : new int[] {1, 4}) {
        CheckpointAssertions.assertSameTensors(
            scenario.write(plan, new Merger(plan, false, threads, LinearAlgebra::reference)),
            expected);
        CheckpointAssertions.assertSameTensors(
            scenario.write(plan, new Merger(plan, false, threads, LinearAlgebra::reference, 8, 16)),
            expected);
      }
    }
  }

  @Test
  void exchangingModelsAndDirectionChangesNothing() {
    TestTensor a = random("w", DType.BF16, 1, 700);
    TestTensor b = random("w", DType.BF16, 2, 700);
    assertThat(slerp(0.25, a, b)).containsExactly(slerp(0.75, b, a));
  }

  @Test
  void whatHasNoAngleIsRefused() {
    MergeOptions lenient = new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, true);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(bf16("w", Shape.of(2), 1, 2)).model(bf16("w", Shape.of(2), 1, Float.NaN));
      assertThatThrownBy(() -> scenario.run(new SlerpMerge(0.5), lenient))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining(scenario.path(1) + "|w")
          .hasMessageContaining("index 1");
    }
  }
}
