package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.f64;
import static dev.smelt.formats.testing.TestTensors.i64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Execution of plans: jobs, refusals that need the data, and what is left behind. */
class MergerTest {

  private static final MergeMethod LINEAR = new LinearMerge(List.of());
  private static final MergeMethod FISHER = new FisherMerge(List.of(), true, 1e-6, false);
  private static final MergeMethod UNNORMALISED = new FisherMerge(List.of(), false, 1e-6, false);

  private static final MergeOptions ALLOW_NON_FINITE =
      new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, true);

  private static final Shape FOUR = Shape.of(4);

  @TempDir private Path folder;

  @Test
  void neitherThreadsNorSizesOfJobsChangeAByte() {
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i < 3; i++) {
        scenario.model(random("a", DType.F32, i, 3, 211), random("b", DType.BF16, 9 + i, 1000));
        scenario.fisher(random("a", DType.F8_E8M0, 20 + i, 3, 211), positive("b", 1000));
      }
      for (MergeMethod method : List.of(LINEAR, FISHER)) {
        Checkpoint expected = scenario.run(method, Scenario.DEFAULTS, 1);
        MergePlan plan = scenario.plan(method);
        for (int threads : new int[] {1, 4}) {
          assertSameFile(scenario.run(method, Scenario.DEFAULTS, threads), expected);
          assertSameFile(
              scenario.write(plan, new Merger(plan, false, threads, LinearAlgebra::reference)),
              expected);
          assertSameFile(
              scenario.write(
                  plan, new Merger(plan, false, threads, LinearAlgebra::reference, 8, 16)),
              expected);
        }
      }
    }
  }

  private static TestTensor positive(String name, int size) {
    float[] values = new float[size];
    for (int k = 0; k < size; k++) {
      values[k] = 1f / (1 + k % 11);
    }
    return f32(name, Shape.of(size), values);
  }

  private static void assertSameFile(Checkpoint actual, Checkpoint expected) {
    CheckpointAssertions.assertSameTensors(actual, expected);
    assertThat(actual.weightFiles().getFirst())
        .hasSameBinaryContentAs(expected.weightFiles().getFirst());
  }

  @Test
  void chunksThatSplitABytesElementsAreRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", FOUR, 1, 2, 3, 4)).model(f32("w", FOUR, 1, 2, 3, 4));
      MergePlan plan = scenario.plan(LINEAR);
      assertThatThrownBy(() -> new Merger(plan, false, 1, LinearAlgebra::reference, 4, 16))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void aNonFiniteWeightIsRefusedByModelTensorAndIndex(float value) {
    float[] bad = new float[200];
    bad[150] = value;
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(200), new float[200]));
      scenario.model(f32("w", Shape.of(200), bad));
      assertThatThrownBy(() -> scenario.run(LINEAR))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining(scenario.path(1) + "|w")
          .hasMessageContaining("found " + value + " at index 150")
          .hasMessageContaining("--allow-non-finite");
    }
  }

  @Test
  void nonFiniteWeightsPassWhenAllowed() {
    float inf = Float.POSITIVE_INFINITY;
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", FOUR, 1, Float.NaN, inf, inf));
      scenario.model(f32("w", FOUR, 3, 1, 1, inf));
      assertThat(scenario.run(LINEAR, ALLOW_NON_FINITE).tensor("w").toFloats())
          .containsExactly(2, Float.NaN, inf, inf);
    }
  }

  @Test
  void aSilencedModelsInfinitiesDoNotCount() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", FOUR, 1, 2, 3, 4));
      scenario.model(f32("w", FOUR, Float.NaN, Float.POSITIVE_INFINITY, 1, 1));
      assertThat(
              scenario
                  .run(new LinearMerge(List.of(1.0, 0.0)), ALLOW_NON_FINITE)
                  .tensor("w")
                  .toFloats())
          .containsExactly(1, 2, 3, 4);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, -1e-30f})
  void invalidFisherInformationIsAlwaysRefused(float value) {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", FOUR, 1, 2, 3, 4)).fisher(f32("w", FOUR, 1, 1, 1, 1));
      scenario.model(f32("w", FOUR, 4, 3, 2, 1)).fisher(f32("w", FOUR, 1, 1, value, 1));
      for (MergeMethod method : List.of(FISHER, UNNORMALISED)) {
        for (MergeOptions options : List.of(Scenario.DEFAULTS, ALLOW_NON_FINITE)) {
          assertThatThrownBy(() -> scenario.run(method, options))
              .isInstanceOf(NonFiniteException.class)
              .hasMessageContaining("invalid Fisher information")
              .hasMessageContaining("|diag/w")
              .hasMessageContaining("at index 2");
        }
      }
    }
  }

  @Test
  void aNormBeyondDoublesIsRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", FOUR, 1, 2, 3, 4)).fisher(f64("w", FOUR, 1e300, 1, 1, 1));
      scenario.model(f32("w", FOUR, 4, 3, 2, 1)).fisher(f64("w", FOUR, 1, 1, 1, 1));
      assertThatThrownBy(() -> scenario.run(FISHER))
          .isInstanceOf(LimitException.class)
          .hasMessageContaining("do not normalize it");
    }
  }

  @Test
  void aValueBeyondTheOutputTypeIsRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f16("w", FOUR, 1, 2, 60000, 4));
      scenario.model(bf16("w", FOUR, 1, 2, 1e6f, 4));
      assertThatThrownBy(() -> scenario.run(LINEAR))
          .isInstanceOf(LimitException.class)
          .hasMessageContaining("[w]")
          .hasMessageContaining("at index 2")
          .hasMessageContaining("F16")
          .hasMessageContaining("--dtype");
    }
  }

  @Test
  void hugeValuesHaveAMean() {
    double huge = 0x1p1023;
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", FOUR, huge, huge, -huge, huge));
      scenario.model(f64("w", FOUR, 0, -huge, huge, huge));
      assertThat(scenario.run(new LinearMerge(List.of(3.0, 1.0))).tensor("w").toDoubles())
          .containsExactly(0.75 * huge, 0.5 * huge, -0.5 * huge, huge);
    }
  }

  @Test
  void extrapolationBeyondDoublesIsRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", FOUR, 1, 1e308, 1, 1)).model(f64("w", FOUR, 1, -1e308, 1, 1));
      assertThatThrownBy(() -> scenario.run(new LinearMerge(List.of(2.0, -1.0))))
          .isInstanceOf(LimitException.class)
          .hasMessageContaining("Infinity at index 1 from finite values");
    }
  }

  @Test
  void equalIntegersAreCopiedAndUnequalOnesRefused() {
    TestTensor w = f32("w", FOUR, 1, 2, 3, 4);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(w, i64("ids", FOUR, 1, 2, 3, 4)).model(w, i64("ids", FOUR, 1, 2, 3, 4));
      CheckpointAssertions.assertHolds(
          scenario.run(LINEAR), List.of(w, i64("ids", FOUR, 1, 2, 3, 4)));
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(w, i64("ids", FOUR, 1, 2, 3, 4)).model(w, i64("ids", FOUR, 1, 2, 9, 4));
      assertThatThrownBy(() -> scenario.run(LINEAR))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(scenario.path(1) + "|ids")
          .hasMessageContaining(scenario.path(0) + "|ids")
          .hasMessageContaining("differ at index 2");
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(w, i64("ids", FOUR, 1, 2, 3, 4)).model(w, f32("ids", FOUR, 1, 2, 3, 4));
      assertThatThrownBy(() -> scenario.run(LINEAR))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("expected I64, found F32");
    }
  }

  @Test
  void aFailedMergeLeavesNothing() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", FOUR, 1, 2, 3, 4)).model(f32("w", FOUR, 1, 2, Float.NaN, 4));
      Path parent = Optional.ofNullable(scenario.path(0).getParent()).orElseThrow();
      assertThatThrownBy(() -> scenario.run(LINEAR)).isInstanceOf(NonFiniteException.class);
      CheckpointAssertions.assertNoLeftovers(parent);
      assertThat(Files.exists(parent.resolve("file2.safetensors"))).isFalse();
    }
  }
}
