package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.f64;
import static dev.smelt.formats.testing.TestTensors.random;
import static dev.smelt.merge.SparseMergeTest.everyType;
import static dev.smelt.merge.SparseMergeTest.merge;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import dev.smelt.merge.sparse.Kind;
import dev.smelt.merge.sparse.SceMerge;
import dev.smelt.merge.sparse.SparseMerge;
import dev.smelt.merge.sparse.SparseMerge.Part;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds of all ways of thinning changes out, whatever the values are. */
class SparseIdentityTest {

  @TempDir private Path folder;

  private static Stream<MergeMethod> everything() {
    List<MergeMethod> all = new ArrayList<>();
    for (Kind kind : Kind.values()) {
      List<Part> thin = List.of(new Part(0.6, 0.4, 0.05), new Part(1.0 / 3, 0.5, 0.05));
      List<Part> some = List.of(new Part(0.6, 1, 0.05), new Part(-0.2, 0.5, 0.05));
      all.add(new SparseMerge(kind, thin, 1, true, false, 3));
      all.add(new SparseMerge(kind, thin, 1, false, true, 3));
      all.add(new SparseMerge(kind, some, 0.7, true, true, 3));
    }
    all.add(new SceMerge(0.5));
    all.add(new SceMerge(1));
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("everything")
  void equalModelsComeBackBitForBit(MergeMethod method) {
    List<DType> types = List.of(DType.F64, DType.F32, DType.F16, DType.BF16, DType.F8_E5M2);
    TestTensor[] model = everyType(types, 5, 40, 13);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(model).model(model).model(model);
      assertTensors(scenario.run(method), model);
    }
  }

  private static MergeMethod exchanged(MergeMethod method) {
    return method instanceof SparseMerge sparse
        ? new SparseMerge(
            sparse.kind(),
            sparse.parts().reversed(),
            sparse.scale(),
            sparse.normalize(),
            sparse.rescale(),
            sparse.seed())
        : method;
  }

  @ParameterizedTest
  @MethodSource("everything")
  void theOrderOfModelsDoesNotMatter(MergeMethod method) {
    List<DType> types = List.of(DType.F32, DType.F16, DType.BF16);
    TestTensor[] base = everyType(types, 6, 60, 11);
    TestTensor[] a = everyType(types, 7, 60, 11);
    TestTensor[] b = everyType(types, 8, 60, 11);
    try (Scenario one = new Scenario(folder);
        Scenario other = new Scenario(folder)) {
      one.model(base).model(a).model(b);
      other.model(base).model(b).model(a);
      CheckpointAssertions.assertSameTensors(one.run(method), other.run(exchanged(method)));
    }
  }

  @ParameterizedTest
  @MethodSource("everything")
  void neitherThreadsNorSizesOfJobsChangeAByte(MergeMethod method) {
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i < 3; i++) {
        scenario.model(random("a", DType.F32, i, 3, 211), random("b", DType.BF16, 9 + i, 1000));
      }
      Checkpoint expected = scenario.run(method, Scenario.DEFAULTS, 1);
      MergePlan plan = scenario.plan(method);
      CheckpointAssertions.assertSameTensors(
          scenario.write(plan, new Merger(plan, false, 4, LinearAlgebra::reference)), expected);
      CheckpointAssertions.assertSameTensors(
          scenario.write(plan, new Merger(plan, false, 3, LinearAlgebra::reference, 8, 16)),
          expected);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void oneWholeChangeIsThatModelAndNoneIsTheBase(Kind kind) {
    List<DType> types = List.of(DType.F64, DType.F32, DType.F16, DType.BF16, DType.F8_E4M3);
    TestTensor[] base = everyType(types, 1, 500);
    TestTensor[] model = everyType(types, 2, 500);
    List<Part> whole = List.of(new Part(1, 1, 0.1));
    List<Part> none = List.of(new Part(1, 0, 0.1));
    List<Part> weightless = List.of(new Part(0, 0.5, 0.1));
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(base).model(model);
      for (boolean flag : new boolean[] {true, false}) {
        assertTensors(scenario.run(new SparseMerge(kind, whole, 1, flag, true, 0)), model);
        assertTensors(scenario.run(new SparseMerge(kind, none, 1, flag, true, 0)), base);
        assertTensors(scenario.run(new SparseMerge(kind, whole, 0, flag, true, 0)), base);
      }
      assertTensors(scenario.run(new SparseMerge(kind, weightless, 1, false, true, 0)), base);
    }
  }

  private static void assertTensors(Checkpoint found, TestTensor... expected) {
    for (TestTensor tensor : expected) {
      assertThat(bytes(found, tensor.name())).isEqualTo(tensor.bytes());
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void finiteValuesGiveFiniteOnesEvenAtTheEndsOfTheRange(Kind kind) {
    double max = Double.MAX_VALUE;
    double[] base = {max, -max, max, 0, -0.0, Double.MIN_VALUE, max, 1};
    double[] a = {-max, max, max / 2, max, 0, -Double.MIN_VALUE, 0, -max};
    double[] b = {-max, max, -max / 2, max, -0.0, 0, -max, max};
    try (Scenario scenario = new Scenario(folder)) {
      for (double[] values : List.of(base, a, b)) {
        scenario.model(f64("w", Shape.of(8), values));
      }
      for (double w : new double[] {0.5, 1e-300, 1e300}) {
        Part part = new Part(w, 0.75, 0.13);
        SparseMerge method = new SparseMerge(kind, List.of(part, part), 1, true, false, 1);
        for (double value : scenario.run(method).tensor("w").toDoubles()) {
          assertThat(Double.isFinite(value)).isTrue();
        }
      }
    }
  }

  @Test
  void agreeingExtremesHaveTheirMean() {
    double max = Double.MAX_VALUE;
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", Shape.of(2), -max, 1));
      scenario.model(f64("w", Shape.of(2), max, 2));
      scenario.model(f64("w", Shape.of(2), max / 2, -max));
      double[] found = scenario.run(merge(Kind.TIES, 1, 0, 1, true, 1, 1)).tensor("w").toDoubles();
      assertThat(found[0]).isEqualTo(0.75 * max);
      assertThat(found[1]).isEqualTo(-max);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"TIES", "BREADCRUMBS", "BREADCRUMBS_TIES", "DELLA", "DELLA_LINEAR"})
  void whatHasNoOrderIsRefused(Kind kind) {
    MergeOptions lenient = new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, true);
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      try (Scenario scenario = new Scenario(folder)) {
        scenario.model(f32("w", Shape.of(3), 1, 2, 3)).model(f32("w", Shape.of(3), 1, 5, bad));
        assertThatThrownBy(() -> scenario.run(merge(kind, 0.5, 0.1, 1, true, 1), lenient))
            .isInstanceOf(NonFiniteException.class)
            .hasMessageContaining(scenario.path(1) + "|w")
            .hasMessageContaining("index 2");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"DARE_LINEAR", "DARE_TIES"})
  void whatNeedsNoOrderKeepsNonFiniteValuesToBeSeen(Kind kind) {
    MergeOptions lenient = new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, true);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(3), 1, 2, 3));
      scenario.model(f32("w", Shape.of(3), 1, Float.NaN, 3));
      scenario.model(f32("w", Shape.of(3), 1, 5, 4));
      float[] found =
          scenario.run(merge(kind, 0.5, 0, 1, false, 1, 1), lenient).tensor("w").toFloats();
      assertThat(found[1]).isNaN();
      assertThat(found[0]).isEqualTo(1);
      assertThatThrownBy(() -> scenario.run(merge(kind, 0.5, 0, 1, false, 1, 1)))
          .isInstanceOf(NonFiniteException.class);
    }
  }

  private static byte[] bytes(Checkpoint checkpoint, String tensor) {
    return checkpoint.tensor(tensor).segment().toArray(ValueLayout.JAVA_BYTE);
  }
}
