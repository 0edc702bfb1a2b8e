package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Values;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What other tools for merging get wrong, by name. */
class KnownDefectsTest {

  @TempDir private Path folder;

  private static MergeMethod make(MethodDescription method, Map<String, List<Double>> values) {
    Map<String, Values.Given> given = new HashMap<>();
    values.forEach((key, list) -> given.put(key, new Values.Given(key, list)));
    boolean onBase = method.inputs().base() == MethodDescription.Base.REQUIRED;
    return method.factory().create(new Values(method, models(method), onBase, given));
  }

  private static int models(MethodDescription method) {
    return method.inputs().models().allows(2) ? 2 : 1;
  }

  private static List<MethodDescription> all() {
    return MergeMethods.all();
  }

  private static List<MethodDescription> withWeights() {
    return all().stream().filter(method -> method.parameter("weight").isPresent()).toList();
  }

  /** A scenario of as many models as the method takes, with all that it needs. */
  private Scenario scenario(MethodDescription method, List<TestTensor> tensors) {
    Scenario scenario = new Scenario(folder);
    int base = method.inputs().base() == MethodDescription.Base.REQUIRED ? 1 : 0;
    for (TestTensor tensor : tensors.subList(0, models(method) + base)) {
      float[] ones = new float[(int) tensor.shape().elements()];
      Arrays.fill(ones, 1);
      scenario.model(tensor);
      scenario.statistics(
          f32("diag/w", tensor.shape(), ones), f32("input_gram/other", Shape.of(1, 1), 1));
    }
    return scenario;
  }

  private static List<TestTensor> three(DType dtype) {
    List<TestTensor> tensors = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      tensors.add(random("w", dtype, i + 1, 8, 5));
    }
    return tensors;
  }

  @ParameterizedTest
  @ValueSource(strings = {"breadcrumbs", "breadcrumbs_ties"})
  void breadcrumbsKeepTheChangeOfATensorOfLessThanAHundredElements(String name) {
    MethodDescription method = MergeMethods.named(name).orElseThrow();
    List<TestTensor> tensors =
        List.of(
            f32("w", Shape.of(4), 0, 0, 0, 0),
            f32("w", Shape.of(4), 1, 2, 3, 4),
            f32("w", Shape.of(4), 1, 2, 3, 4));
    try (Scenario scenario = scenario(method, tensors)) {
      MergeMethod merge =
          make(
              method,
              Map.of(
                  "density", List.of(0.9),
                  "gamma", List.of(0.01),
                  "normalize", List.of(1.0)));
      // ⌊0.9·4⌋ = 3 of 4 are kept, and ⌊0.01·4⌋ = 0 of the largest are taken away.
      assertThat(scenario.run(merge).tensor("w").toFloats()).containsExactly(0, 2, 3, 4);
    }
  }

  @ParameterizedTest
  @MethodSource("withWeights")
  void aWeightOfZeroWorks(MethodDescription method) {
    List<TestTensor> tensors = three(DType.F32);
    try (Scenario scenario = scenario(method, tensors)) {
      Checkpoint merged =
          scenario.run(
              make(
                  method,
                  models(method) == 1
                      ? Map.of("weight", List.of(0.0))
                      : Map.of("weight", List.of(1.0, 0.0))));
      assertThat(merged.tensor("w").firstNonFinite()).isEmpty();
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void nanInIsAnError(MethodDescription method) {
    List<TestTensor> tensors = three(DType.F32);
    float[] values = new float[40];
    values[17] = Float.NaN;
    tensors.set(0, f32("w", Shape.of(8, 5), values));
    try (Scenario scenario = scenario(method, tensors)) {
      assertThatThrownBy(() -> scenario.run(make(method, Map.of())))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining("index 17");
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void mixedTypesGiveTheTypeThatIsAskedFor(MethodDescription method) {
    List<TestTensor> tensors = three(DType.F32);
    tensors.set(0, random("w", DType.BF16, 1, 8, 5));
    try (Scenario scenario = scenario(method, tensors)) {
      MergeMethod merge = make(method, Map.of());
      assertThat(scenario.run(merge).tensor("w").dtype()).isEqualTo(DType.BF16);
      assertThat(scenario.run(merge, DType.F16).tensor("w").dtype()).isEqualTo(DType.F16);
    }
  }

  @Test
  void fisherInformationOfZeroGivesTheMean() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(2), 1, 5)).fisher(f32("w", Shape.of(2), 0, 1));
      scenario.model(f32("w", Shape.of(2), 3, 7)).fisher(f32("w", Shape.of(2), 0, 0));
      MergeMethod method = new FisherMerge(List.of(), false, 0, false);
      assertThat(scenario.run(method).tensor("w").toFloats()).containsExactly(2, 5);
    }
  }

  @Test
  void theMeanOfNarrowTypesIsRoundedOnce() {
    // 0.6·1 + 0.4·1.0078125 = 1.003125, nearer to 1 than to 1.0078125; in bf16 arithmetic it is
    // not.
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(bf16("w", Shape.of(1), 1)).model(bf16("w", Shape.of(1), 1.0078125f));
      MergeMethod method = new LinearMerge(List.of(0.6, 0.4));
      assertThat(scenario.run(method).tensor("w").toFloats()).containsExactly(1);
    }
  }
}
