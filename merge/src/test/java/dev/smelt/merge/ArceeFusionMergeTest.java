package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.f64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.merge.fusion.ArceeFusionMerge;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Arcee Fusion against whole arrays and a sort. */
class ArceeFusionMergeTest {

  private static final ArceeFusionMerge METHOD = new ArceeFusionMerge();

  @TempDir private Path folder;

  private static List<long[]> shapes() {
    return List.of(
        new long[] {40, 60},
        new long[] {7, 5, 3, 3},
        new long[] {900, 1},
        new long[] {1000},
        // Longer than what is read at a time, and tails of all lengths.
        new long[] {3, 5001},
        new long[] {1001},
        new long[] {1002},
        new long[] {1003});
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void itIsWhatWholeArraysGive(long[] sizes) {
    for (DType dtype : List.of(DType.F64, DType.F32, DType.BF16)) {
      try (Scenario scenario = new Scenario(folder)) {
        scenario.model(random("w", dtype, 1, sizes)).model(random("w", dtype, 2, sizes));
        List<Operand> theta = scenario.plan(METHOD).merged().getFirst().operands().theta();
        double[] base = theta.get(0).view().toDoubles();
        double[] model = theta.get(1).view().toDoubles();
        assertThat(scenario.run(METHOD).tensor("w").toDoubles())
            .containsExactly(expected(base, model, (int) sizes[sizes.length - 1]));
      }
    }
  }

  private static double[] expected(double[] base, double[] model, int length) {
    double[] scores = new double[base.length];
    for (int from = 0; from < base.length; from += length) {
      double sumOfBase = 0;
      double sumOfModel = 0;
      for (int k = from; k < from + length; k++) {
        sumOfBase += Math.exp(base[k]);
        sumOfModel += Math.exp(model[k]);
      }
      double divergence = 0;
      for (int k = from; k < from + length && length > 1; k++) {
        double p = Math.exp(model[k]) / sumOfModel;
        double q = Math.exp(base[k]) / sumOfBase;
        divergence += p * Math.log(p / q);
      }
      for (int k = from; k < from + length; k++) {
        scores[k] = Math.abs(model[k] - base[k]) * divergence;
      }
    }
    double[] sorted = Arrays.stream(scores).sorted().toArray();
    int last = sorted.length - 1;
    double threshold =
        sorted[last / 2] + 1.5 * (sorted[(int) (0.75 * last)] - sorted[(int) (0.25 * last)]);
    double[] merged = new double[base.length];
    for (int k = 0; k < merged.length; k++) {
      merged[k] = scores[k] >= threshold ? model[k] : base[k];
    }
    return merged;
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
  void aModelMergedWithItselfIsThatModel(DType dtype) {
    TestTensor tensor = random("w", dtype, 3, 30, 20);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(tensor).model(tensor);
      assertThat(scenario.run(METHOD).tensor("w").segment().toArray(ValueLayout.JAVA_BYTE))
          .isEqualTo(tensor.bytes());
    }
  }

  @Test
  void whereFewWeightsChangedAllChangesStay() {
    double[] base = new double[64];
    double[] model = base.clone();
    for (int k = 0; k < 15; k++) {
      model[4 * k] = 1 + k;
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", Shape.of(8, 8), base)).model(f64("w", Shape.of(8, 8), model));
      assertThat(scenario.run(METHOD).tensor("w").toDoubles()).containsExactly(model);
    }
  }

  /** Equal rows but for one change each: scores rise with the change. */
  @Test
  void largeChangesStayAndSmallOnesGo() {
    float[] base = new float[20];
    float[] model = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9};
    float[] expected = new float[20];
    expected[19] = 9;
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(20), base)).model(f32("w", Shape.of(20), model));
      // All other scores are equal: the range is nothing, and the median is enough.
      assertThat(scenario.run(METHOD).tensor("w").toFloats()).containsExactly(model);
      for (int k = 0; k < 19; k++) {
        model[k] = 0.01f * (k + 1);
      }
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(20), base)).model(f32("w", Shape.of(20), model));
      assertThat(scenario.run(METHOD).tensor("w").toFloats()).containsExactly(expected);
    }
  }

  @Test
  void neitherThreadsNorSizesOfJobsChangeAByte() {
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i < 2; i++) {
        scenario.model(
            random("a", DType.F32, i, 3, 211),
            random("b", DType.BF16, 9 + i, 1000),
            random("c", DType.F64, 19 + i, 97, 53));
      }
      Checkpoint expected = scenario.run(METHOD, Scenario.DEFAULTS, 1);
      MergePlan plan = scenario.plan(METHOD);
      CheckpointAssertions.assertSameTensors(
          scenario.write(plan, new Merger(plan, false, 4, LinearAlgebra::reference)), expected);
      CheckpointAssertions.assertSameTensors(
          scenario.write(plan, new Merger(plan, false, 2, LinearAlgebra::reference, 8, 16)),
          expected);
    }
  }

  @Test
  void valuesOfAllSizesAreMerged() {
    double max = Double.MAX_VALUE;
    try (Scenario scenario = new Scenario(folder)) {
      scenario
          .model(f64("w", Shape.of(2, 3), max, -max, 0, 1, Double.MIN_VALUE, -1), none())
          .model(f64("w", Shape.of(2, 3), -max, max, max, 1, -max, 1e-300), none());
      Checkpoint merged = scenario.run(METHOD);
      assertThat(Arrays.stream(merged.tensor("w").toDoubles()).boxed()).allMatch(Double::isFinite);
      assertThat(merged.tensor("none").elements()).isZero();
    }
  }

  private static TestTensor none() {
    return f32("none", Shape.of(4, 0));
  }

  @Test
  void nonFiniteValuesAreRefused() {
    MergeOptions lenient = new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, true);
    try (Scenario scenario = new Scenario(folder)) {
      scenario
          .model(f32("w", Shape.of(2), 1, 2))
          .model(f32("w", Shape.of(2), 1, Float.POSITIVE_INFINITY));
      assertThatThrownBy(() -> scenario.run(METHOD, lenient))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining(scenario.path(1) + "|w")
          .hasMessageContaining("index 1");
    }
  }
}
