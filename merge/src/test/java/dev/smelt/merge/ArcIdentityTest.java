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
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.merge.arc.KarcherMerge;
import dev.smelt.merge.arc.ModelStockMerge;
import dev.smelt.merge.arc.MultislerpMerge;
import dev.smelt.merge.arc.NuslerpMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What must hold bit for bit of methods that look at whole vectors. */
class ArcIdentityTest {

  @TempDir private Path folder;

  /**
   * A method for two models.
   *
   * @param turned for the two the other way round
   */
  record Case(MergeMethod method, MergeMethod turned, boolean onBase) {}

  private static Stream<Case> cases() {
    return Stream.concat(
        Stream.of(
            new Case(new KarcherMerge(10, 1e-5), new KarcherMerge(10, 1e-5), false),
            new Case(new ModelStockMerge(false), new ModelStockMerge(false), true),
            new Case(new ModelStockMerge(true), new ModelStockMerge(true), true)),
        Stream.of(false, true)
            .flatMap(
                onBase ->
                    Stream.of(List.of(0.3, 0.7), List.of(0.0, 2.0))
                        .flatMap(
                            weights ->
                                Stream.of(
                                    new Case(
                                        new NuslerpMerge(weights, true, false, onBase),
                                        new NuslerpMerge(weights.reversed(), true, false, onBase),
                                        onBase),
                                    new Case(
                                        new NuslerpMerge(weights, false, false, onBase),
                                        new NuslerpMerge(weights.reversed(), false, false, onBase),
                                        onBase),
                                    new Case(
                                        new NuslerpMerge(weights, false, true, onBase),
                                        new NuslerpMerge(weights.reversed(), false, true, onBase),
                                        onBase),
                                    new Case(
                                        new MultislerpMerge(weights, true, 1e-8, onBase),
                                        new MultislerpMerge(weights.reversed(), true, 1e-8, onBase),
                                        onBase)))));
  }

  private static Stream<Case> casesOnBase() {
    return cases().filter(Case::onBase);
  }

  private static byte[] bytes(Checkpoint checkpoint, String name) {
    return checkpoint.tensor(name).segment().toArray(ValueLayout.JAVA_BYTE);
  }

  /** One of each type, named after it. */
  private static TestTensor[] ofTypes(long seed, DType... dtypes) {
    return Arrays.stream(dtypes)
        .map(dtype -> random(dtype.label(), dtype, seed, 19, 31))
        .toArray(TestTensor[]::new);
  }

  private static void assertHolds(Checkpoint merged, TestTensor... expected) {
    CheckpointAssertions.assertHolds(merged, List.of(expected));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aModelMergedWithItselfIsThatModel(Case one) {
    TestTensor[] model = ofTypes(3, DType.F64, DType.F32, DType.F16, DType.BF16, DType.F8_E4M3);
    try (Scenario scenario = new Scenario(folder)) {
      if (one.onBase()) {
        scenario.model(model);
      }
      scenario.model(model).model(model);
      assertHolds(scenario.run(one.method()), model);
    }
  }

  @ParameterizedTest
  @MethodSource("casesOnBase")
  void equalModelsOnAnotherBaseAreThatModel(Case one) {
    TestTensor[] model = ofTypes(3, DType.F32, DType.BF16);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(ofTypes(4, DType.F32, DType.BF16)).model(model).model(model);
      assertHolds(scenario.run(one.method()), model);
    }
  }

  @Test
  void edgesOfTheRangeMergedWithThemselvesStay() {
    double[] edges = {
      0.0, -0.0, Double.MIN_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE, 1.0 / 3, 1e-200, 1
    };
    TestTensor tensor = f64("w", Shape.of(2, 4), edges);
    cases()
        .forEach(
            one -> {
              try (Scenario scenario = new Scenario(folder)) {
                scenario.model(tensor).model(tensor);
                if (one.onBase()) {
                  scenario.model(tensor);
                }
                assertThat(bytes(scenario.run(one.method()), "w"))
                    .as("%s", one.method())
                    .isEqualTo(tensor.bytes());
              }
            });
  }

  @ParameterizedTest
  @MethodSource("cases")
  void edgesOfTheRangeStayFinite(Case one) {
    double max = Double.MAX_VALUE;
    try (Scenario scenario = new Scenario(folder)) {
      if (one.onBase()) {
        scenario.model(f64("w", Shape.of(2, 2), 1, -1, 0, max / 4));
      }
      scenario
          .model(f64("w", Shape.of(2, 2), max / 4, -max / 4, 1, 0))
          .model(f64("w", Shape.of(2, 2), -max / 4, -max / 8, Double.MIN_VALUE, max / 4));
      double[] merged = scenario.run(one.method()).tensor("w").toDoubles();
      assertThat(Arrays.stream(merged).boxed()).allMatch(Double::isFinite);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void theOrderOfModelsDoesNotMatter(Case one) {
    TestTensor[] base = ofTypes(5, DType.F32, DType.F16, DType.BF16);
    TestTensor[] a = ofTypes(6, DType.F32, DType.F16, DType.BF16);
    TestTensor[] b = ofTypes(7, DType.F32, DType.F16, DType.BF16);
    try (Scenario there = new Scenario(folder);
        Scenario back = new Scenario(folder)) {
      if (one.onBase()) {
        there.model(base);
        back.model(base);
      }
      there.model(a).model(b);
      back.model(b).model(a);
      CheckpointAssertions.assertSameTensors(there.run(one.method()), back.run(one.turned()));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void neitherDoesTheOrderOfFour(DType dtype) {
    TestTensor[] models = new TestTensor[4];
    for (int i = 0; i < models.length; i++) {
      models[i] = random("w", dtype, 30 + i, 500);
    }
    assertSame(models, new KarcherMerge(10, 1e-5), new KarcherMerge(10, 1e-5));
    assertSame(
        models,
        new MultislerpMerge(List.of(0.1, 0.2, 0.3, 0.4), true, 1e-8, false),
        new MultislerpMerge(List.of(0.4, 0.2, 0.1, 0.3), true, 1e-8, false));
  }

  private void assertSame(TestTensor[] models, MergeMethod there, MergeMethod back) {
    try (Scenario one = new Scenario(folder);
        Scenario other = new Scenario(folder)) {
      one.model(models[0]).model(models[1]).model(models[2]).model(models[3]);
      other.model(models[3]).model(models[1]).model(models[0]).model(models[2]);
      assertThat(bytes(one.run(there), "w")).isEqualTo(bytes(other.run(back), "w"));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void neitherThreadsNorSizesOfJobsChangeAByte(Case one) {
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i < (one.onBase() ? 3 : 2); i++) {
        scenario.model(
            random("a", DType.F32, i, 3, 211),
            random("b", DType.BF16, 9 + i, 1000),
            random("c", DType.F64, 19 + i, 97, 53));
      }
      Checkpoint expected = scenario.run(one.method(), Scenario.DEFAULTS, 1);
      MergePlan plan = scenario.plan(one.method());
      CheckpointAssertions.assertSameTensors(
          scenario.write(plan, new Merger(plan, false, 4, LinearAlgebra::reference)), expected);
      CheckpointAssertions.assertSameTensors(
          scenario.write(plan, new Merger(plan, false, 2, LinearAlgebra::reference, 8, 16)),
          expected);
    }
  }

  @ParameterizedTest
  @MethodSource("casesOnBase")
  void whatNobodyChangedStays(Case one) {
    try (Scenario scenario = new Scenario(folder)) {
      scenario
          .model(f32("w", Shape.of(2, 3), -0f, 0.1f, 2.8e-45f, 0.7f, 1e30f, -0f))
          .model(f32("w", Shape.of(2, 3), -0f, 0.1f, 2.8e-45f, 0.9f, 1e30f, 5f))
          .model(f32("w", Shape.of(2, 3), -0f, 0.1f, 2.8e-45f, 0.7f, 1e30f, 7f));
      float[] merged = scenario.run(one.method()).tensor("w").toFloats();
      assertThat(merged).startsWith(-0f, 0.1f, 2.8e-45f);
      assertThat(merged[4]).isEqualTo(1e30f);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16", "F8_E5M2"})
  void allWeightOnOneModelGivesThatModel(DType dtype) {
    TestTensor base = random("w", dtype, 1, 12, 20);
    TestTensor a = random("w", dtype, 2, 12, 20);
    TestTensor b = random("w", dtype, 3, 12, 20);
    List<Double> first = List.of(1.0, 0.0);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(base).model(a).model(b);
      for (MergeMethod method :
          List.of(
              new NuslerpMerge(first, true, false, true),
              new NuslerpMerge(first, false, true, true),
              new MultislerpMerge(first, true, 1e-8, true))) {
        assertThat(bytes(scenario.run(method), "w")).isEqualTo(a.bytes());
      }
    }
  }

  @Test
  void tensorsWithoutElementsAndScalarsAreMerged() {
    cases()
        .forEach(
            one -> {
              try (Scenario scenario = new Scenario(folder)) {
                for (int i = 0; i < (one.onBase() ? 3 : 2); i++) {
                  scenario.model(
                      f32("none", Shape.of(0, 4)),
                      f32("scalar", Shape.of(), 3),
                      f32("row", Shape.of(1, 2), 1, 2),
                      f32("column", Shape.of(2, 1), 1, 2));
                }
                Checkpoint merged = scenario.run(one.method());
                assertThat(merged.tensor("none").elements()).isZero();
                assertThat(merged.tensor("scalar").toFloats()).containsExactly(3);
                assertThat(merged.tensor("row").toFloats()).containsExactly(1, 2);
                assertThat(merged.tensor("column").toFloats()).containsExactly(1, 2);
              }
            });
  }

  @ParameterizedTest
  @MethodSource("cases")
  void whatHasNoAngleIsRefused(Case one) {
    MergeOptions lenient = new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, true);
    TestTensor fine = f32("w", Shape.of(2), 1, 2);
    TestTensor broken = f32("w", Shape.of(2), 1, Float.NEGATIVE_INFINITY);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(broken).model(fine);
      if (one.onBase()) {
        scenario.model(fine);
      }
      assertThatThrownBy(() -> scenario.run(one.method(), lenient))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining(scenario.path(0) + "|w")
          .hasMessageContaining("index 1");
    }
  }

  @Test
  void weightsThatMakeNoMeanAreRefused() {
    List<Double> none = List.of(1.0, -1.0);
    assertThatThrownBy(() -> new NuslerpMerge(none, true, false, false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("sum to 0");
    assertThatThrownBy(() -> new MultislerpMerge(none, true, 1e-8, false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("sum to 0");
    assertThatThrownBy(() -> new NuslerpMerge(List.of(1.0, 1.0), true, true, false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("nuslerp_flatten");
  }
}
