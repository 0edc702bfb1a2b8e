package dev.smelt.merge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.UsageException;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Values;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Methods made from what their users say. */
class MethodValuesTest {

  private static MergeMethod make(
      String name, int models, boolean onBase, Map<String, List<Double>> values) {
    Map<String, Values.Given> given = new HashMap<>();
    values.forEach((key, list) -> given.put(key, new Values.Given("its " + key, list)));
    MethodDescription method = MergeMethods.named(name).orElseThrow();
    return method.factory().create(new Values(method, models, onBase, given));
  }

  private static List<MethodDescription> all() {
    return MergeMethods.all();
  }

  @ParameterizedTest
  @MethodSource("all")
  void everyMethodCanBeMadeWithoutAWord(MethodDescription method) {
    int models = method.inputs().models().allows(2) ? 2 : 1;
    boolean onBase = method.inputs().base() == MethodDescription.Base.REQUIRED;
    assertThat(make(method.name(), models, onBase, Map.of()).description()).isEqualTo(method);
  }

  @Test
  void namesAreUnique() {
    assertThat(all().stream().map(MethodDescription::name)).doesNotHaveDuplicates();
    for (MethodDescription method : all()) {
      assertThat(method.parameters().stream().map(Parameter::name)).doesNotHaveDuplicates();
    }
  }

  @Test
  void aNameIsOfOneKindInAllMethods() {
    Map<String, Set<Class<?>>> kinds = new HashMap<>();
    for (MethodDescription method : all()) {
      for (Parameter parameter : method.parameters()) {
        kinds
            .computeIfAbsent(parameter.name(), _ -> new HashSet<>())
            .add(parameter.kind().getClass());
      }
    }
    assertThat(kinds).allSatisfy((name, classes) -> assertThat(classes).as(name).hasSize(1));
  }

  @Test
  void whatIsGivenIsTaken() {
    assertThat(make("linear", 2, false, Map.of("weight", List.of(0.6, 0.4))))
        .isEqualTo(new LinearMerge(List.of(0.6, 0.4)));
    assertThat(make("fisher", 2, false, Map.of("floor", List.of(0.5), "favor_first", List.of(1.0))))
        .isEqualTo(new FisherMerge(List.of(1.0, 1.0), true, 0.5, true));
  }

  @ParameterizedTest
  @CsvSource({
    "fisher, floor, -1e-9, 'finite, >= 0'",
    "fisher, floor, NaN, 'finite, >= 0'",
    "fisher, floor, Infinity, 'finite, >= 0'",
    "fisher, weight, -0.5, 'finite, >= 0'",
    "linear, weight, NaN, finite",
    "slerp, t, 1.1, 0 to 1",
    "slerp, t, -0.1, 0 to 1",
    "fisher, favor_first, 0.5, true or false"
  })
  void whatIsOutOfRangeIsRefused(String method, String parameter, double value, String range) {
    assertThatThrownBy(() -> make(method, 2, false, Map.of(parameter, values(parameter, value))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("its " + parameter + " " + value)
        .hasMessageContaining(range);
  }

  private static List<Double> values(String parameter, double value) {
    return parameter.equals("weight") ? List.of(1.0, value) : List.of(value);
  }

  @Test
  void asManyValuesAsModels() {
    assertThatThrownBy(() -> make("linear", 2, false, Map.of("weight", List.of(1.0))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("1 values of its weight for 2 models");
    assertThatThrownBy(() -> make("linear", 2, false, Map.of("weight", List.of(1.0, 1.0, 1.0))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("3 values of its weight for 2 models");
    assertThatThrownBy(() -> make("slerp", 2, false, Map.of("t", List.of(0.1, 0.2))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("2 values of its t");
  }

  @Test
  void weightsMustMakeAMean() {
    for (String method : List.of("linear", "fisher")) {
      assertThatThrownBy(() -> make(method, 2, false, Map.of("weight", List.of(0.0, 0.0))))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("sum to 0");
    }
    assertThatThrownBy(() -> make("linear", 2, false, Map.of("weight", List.of(1.0, -1.0))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("sum to 0");
    assertThatThrownBy(
            () ->
                make(
                    "task_arithmetic",
                    2,
                    true,
                    Map.of("weight", List.of(1.0, -1.0), "normalize", List.of(1.0))))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("sum to 0");
  }

  @Test
  void theModelsMustBeWhatTheMethodTakes() {
    assertThatThrownBy(() -> make("linear", 1, false, Map.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("2 or more models, found 1");
    assertThatThrownBy(() -> make("slerp", 3, false, Map.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("2 models, found 3");
    assertThatThrownBy(() -> make("linear", 2, true, Map.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no base");
    assertThatThrownBy(() -> make("task_arithmetic", 1, false, Map.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("needs a base");
  }
}
