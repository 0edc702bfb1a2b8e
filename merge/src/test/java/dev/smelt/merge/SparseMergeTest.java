package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.TaskArithmeticMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.sparse.Kind;
import dev.smelt.merge.sparse.SparseMerge;
import dev.smelt.merge.sparse.SparseMerge.Part;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Changes thinned out by size, against sorting them. */
class SparseMergeTest {

  static final List<DType> TYPES = List.of(DType.F64, DType.F32, DType.BF16, DType.F8_E4M3);

  @TempDir private Path folder;

  static SparseMerge merge(
      Kind kind, double density, double margin, double lambda, boolean normalize, double... w) {
    List<Part> parts = Arrays.stream(w).mapToObj(one -> new Part(one, density, margin)).toList();
    return new SparseMerge(kind, parts, lambda, normalize, false, 0);
  }

  /** Values of a tensor in the base and the models, read from what was written. */
  private static double[][] values(Scenario scenario, String name) {
    return scenario.plan(new TaskArithmeticMerge(List.of(), 1, false)).merged().stream()
        .filter(tensor -> tensor.output().name().equals(name))
        .flatMap(tensor -> tensor.operands().theta().stream())
        .map(operand -> operand.view().toDoubles())
        .toArray(double[][]::new);
  }

  private Scenario scenario(int models, DType dtype, long... sizes) {
    Scenario scenario = new Scenario(folder);
    for (int i = 0; i <= models; i++) {
      scenario.model(random("w", dtype, 300 + i, sizes));
    }
    return scenario;
  }

  /** A tensor of each type, named after it. */
  static TestTensor[] everyType(List<DType> types, long seed, long... sizes) {
    return types.stream()
        .map(type -> random(type.label(), type, seed, sizes))
        .toArray(TestTensor[]::new);
  }

  private static void assertMerged(Scenario scenario, MergeMethod method, double[] expected) {
    assertMerged(scenario.run(method, DType.F64).tensor("w").toDoubles(), expected);
  }

  private static void assertMerged(double[] found, double[] expected) {
    Thinned.assertClose(found, expected, 1e-13);
  }

  private static double[][] kept(double[][] values, double density, double gamma) {
    int n = values[0].length;
    int kept = (int) Math.floor(density * n + 1e-9);
    int larger = Math.min((int) Math.floor(gamma * n + 1e-9), n - kept);
    return Arrays.stream(values, 1, values.length)
        .map(model -> Thinned.keep(Thinned.change(values[0], model), larger, larger + kept))
        .toArray(double[][]::new);
  }

  private static Stream<Arguments> settings() {
    List<Arguments> all = new ArrayList<>();
    for (double density : new double[] {0, 0.001, 0.1, 0.5, 0.97, 1}) {
      // Powers of two, so that the sums of signs are exact in the other computation too.
      all.add(Arguments.of(density, 0.01, 1.0, new double[] {1, 0.5}));
      all.add(Arguments.of(density, 0.3, 0.7, new double[] {0.5, 0, -1, 2}));
      all.add(Arguments.of(density, 0.0, -2.0, new double[] {1, 1, 1}));
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("settings")
  void bySizeTheyAreThoseThatAreFirstWhenSorted(
      double density, double gamma, double lambda, double[] w) {
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i <= w.length; i++) {
        scenario.model(everyType(TYPES, 300 + i, 23, 31));
      }
      for (boolean normalize : new boolean[] {true, false}) {
        Checkpoint ties =
            scenario.run(merge(Kind.TIES, density, 0, lambda, normalize, w), DType.F64);
        Checkpoint crumbs =
            scenario.run(merge(Kind.BREADCRUMBS, density, gamma, lambda, normalize, w), DType.F64);
        Checkpoint both =
            scenario.run(
                merge(Kind.BREADCRUMBS_TIES, density, gamma, lambda, normalize, w), DType.F64);
        for (DType dtype : TYPES) {
          String name = dtype.label();
          double[][] theta = values(scenario, name);
          double[][] largest = kept(theta, density, 0);
          double[][] middle = kept(theta, density, gamma);
          assertMerged(
              ties.tensor(name).toDoubles(),
              Thinned.elected(theta[0], largest, w, lambda, normalize));
          assertMerged(
              crumbs.tensor(name).toDoubles(), Thinned.sum(theta[0], middle, w, lambda, normalize));
          assertMerged(
              both.tensor(name).toDoubles(),
              Thinned.elected(theta[0], middle, w, lambda, normalize));
        }
      }
    }
  }

  @Test
  void everyModelHasADensityOfItsOwn() {
    try (Scenario scenario = scenario(2, DType.F32, 1000)) {
      double[][] theta = values(scenario, "w");
      double[][] changes = {
        Thinned.keep(Thinned.change(theta[0], theta[1]), 0, 290),
        Thinned.keep(Thinned.change(theta[0], theta[2]), 0, 800)
      };
      SparseMerge method =
          new SparseMerge(
              Kind.TIES, List.of(new Part(1, 0.29, 0), new Part(1, 0.8, 0)), 1, true, false, 0);
      assertMerged(
          scenario, method, Thinned.elected(theta[0], changes, new double[] {1, 1}, 1, true));
    }
  }

  @Test
  void rescaledBySizeTheSumOfSizesIsThatOfTheWholeChange() {
    try (Scenario scenario = scenario(1, DType.F32, 700)) {
      double[][] theta = values(scenario, "w");
      double[] change = Thinned.change(theta[0], theta[1]);
      double[] kept = Thinned.keep(change, 7, 7 + 140);
      double[] scaled = Thinned.times(Thinned.l1(change) / Thinned.l1(kept), kept);
      SparseMerge method =
          new SparseMerge(Kind.BREADCRUMBS, List.of(new Part(1, 0.2, 0.01)), 1, false, true, 0);
      assertMerged(
          scenario,
          method,
          Thinned.sum(theta[0], new double[][] {scaled}, new double[] {1}, 1, false));
    }
  }

  /** mergekit leaves nothing of it: it cuts off the last 0 of a list, which is all of it. */
  @Test
  void breadcrumbsOfATensorUnderAHundredElementsKeepsItsChange() {
    try (Scenario scenario = scenario(1, DType.F32, 99)) {
      double[][] theta = values(scenario, "w");
      double[] kept = Thinned.keep(Thinned.change(theta[0], theta[1]), 0, 89);
      assertMerged(
          scenario,
          merge(Kind.BREADCRUMBS, 0.9, 0.01, 1, false, 1),
          Thinned.sum(theta[0], new double[][] {kept}, new double[] {1}, 1, false));
      assertThat(Arrays.stream(kept).filter(change -> change != 0).count()).isEqualTo(89);
    }
  }

  @Test
  void ofATensorTooSmallForTheDensityNothingIsKept() {
    TestTensor base = random("w", DType.BF16, 1, 9);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(base).model(random("w", DType.BF16, 2, 9));
      assertThat(bytes(scenario.run(merge(Kind.TIES, 0.1, 0, 1, true, 1)))).isEqualTo(base.bytes());
    }
  }

  @Test
  void withDensityOneAndOneSignTiesIsTheMean() {
    float[] base = {1, 2, -3, 0, 5};
    float[] first = {2, 4, -4, 0.5f, 6};
    float[] second = {3, 3, -9, 1.5f, 5.5f};
    try (Scenario scenario = new Scenario(folder)) {
      for (float[] values : new float[][] {base, first, second}) {
        scenario.model(f32("w", Shape.of(5), values));
      }
      assertThat(scenario.run(merge(Kind.TIES, 1, 0, 1, true, 1, 1)).tensor("w").toFloats())
          .containsExactly(2.5f, 3.5f, -6.5f, 1, 5.75f);
      assertThat(scenario.run(merge(Kind.TIES, 1, 0, 1, true, 0.3, 0.1)).tensor("w").toFloats())
          .containsExactly(2.25f, 3.75f, -5.25f, 0.75f, 5.875f);
    }
  }

  @Test
  void changesThatCancelElectThePositiveSignInWhateverOrder() {
    double[] changes = {1, 1, -1};
    double[] weights = {0.1, 0.2, 0.3};
    for (int shift = 0; shift < 3; shift++) {
      double[] w = new double[3];
      try (Scenario scenario = new Scenario(folder)) {
        scenario.model(f32("w", Shape.of(1), 4));
        for (int i = 0; i < 3; i++) {
          int from = (i + shift) % 3;
          w[i] = weights[from];
          scenario.model(f32("w", Shape.of(1), (float) (4 + changes[from])));
        }
        assertThat(scenario.run(merge(Kind.TIES, 1, 0, 1, true, w)).tensor("w").toFloats())
            .containsExactly(5);
      }
    }
  }

  @Test
  void probabilitiesThatAreNoneAreRefused() {
    for (double epsilon : new double[] {0.15, 0.2, 3}) {
      assertThatThrownBy(() -> merge(Kind.DELLA, 0.85, epsilon, 1, true, 1))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("density 0.85 with epsilon " + epsilon)
          .hasMessageContaining("lower epsilon");
    }
    assertThatThrownBy(() -> merge(Kind.DELLA_LINEAR, 0.1, 0.1, 1, true, 1))
        .isInstanceOf(UsageException.class);
    assertThat(merge(Kind.DELLA, 1, 0.15, 1, true, 1).parts()).hasSize(1);
  }

  @Test
  void weightsWithoutASumAreNotNormalized() {
    assertThatThrownBy(() -> merge(Kind.DARE_LINEAR, 0.5, 0, 1, true, 0.1, 0.2, -0.3))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("the weights sum to 0");
    // Per element, those that count: none of it is divided by 0.
    try (Scenario scenario = scenario(2, DType.F32, 50)) {
      double[][] theta = values(scenario, "w");
      double[] w = {1, -1};
      assertMerged(
          scenario,
          merge(Kind.TIES, 0.8, 0, 1, true, w),
          Thinned.elected(theta[0], kept(theta, 0.8, 0), w, 1, true));
    }
  }

  @Test
  void anotherNumberOfModelsIsRefused() {
    try (Scenario scenario = scenario(2, DType.F32, 5)) {
      assertThatThrownBy(() -> scenario.run(merge(Kind.TIES, 0.5, 0, 1, true, 1)))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("1 weights for 2 models");
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void withoutThinningAndElectionItIsTaskArithmetic(Kind kind) {
    List<Double> weights = List.of(0.3, -0.8);
    List<Part> parts = weights.stream().map(w -> new Part(w, 1, 0.1)).toList();
    SparseMerge method = new SparseMerge(kind, parts, 0.9, false, false, 0);
    try (Scenario scenario = scenario(2, DType.BF16, 900)) {
      byte[] found = bytes(scenario.run(method));
      byte[] plain = bytes(scenario.run(new TaskArithmeticMerge(weights, 0.9, false)));
      assertThat(Arrays.equals(found, plain))
          .isEqualTo(!method.description().name().matches("ties|.*_ties|della"));
    }
  }

  /** Where only one model counts the mean is its value, whatever its type and its weight. */
  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "BF16"})
  void theMeanOfOneModelIsItsValueBitForBit(DType dtype) {
    for (double weight : new double[] {1, 0.3, 1.0 / 3, 1e-300, 1e300}) {
      try (Scenario scenario = scenario(2, dtype, 2000)) {
        double[][] theta = values(scenario, "w");
        double[][] changes = kept(theta, 0.3, 0);
        double[] found =
            scenario.run(merge(Kind.TIES, 0.3, 0, 1, true, weight, weight)).tensor("w").toDoubles();
        for (int k = 0; k < found.length; k++) {
          boolean first = changes[0][k] != 0;
          boolean second = changes[1][k] != 0;
          if (first != second) {
            assertThat(found[k]).isEqualTo(first ? theta[1][k] : theta[2][k]);
          } else if (!first) {
            assertThat(found[k]).isEqualTo(theta[0][k]);
          }
        }
      }
    }
  }

  private static byte[] bytes(Checkpoint checkpoint) {
    return bytes(checkpoint, "w");
  }

  private static byte[] bytes(Checkpoint checkpoint, String tensor) {
    return checkpoint.tensor(tensor).segment().toArray(ValueLayout.JAVA_BYTE);
  }
}
