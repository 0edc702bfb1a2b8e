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
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.sparse.SceMerge;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Select, calculate, erase against the same over whole arrays. */
class SceMergeTest {

  private static final List<DType> TYPES = List.of(DType.F64, DType.F32, DType.BF16, DType.F8_E4M3);

  @TempDir private Path folder;

  private static double[] sce(double[] base, double[][] models, double share) {
    int n = base.length;
    double[][] changes =
        Arrays.stream(models).map(model -> Thinned.change(base, model)).toArray(double[][]::new);
    if (share < 1) {
      double[] variance = new double[n];
      int different = 0;
      for (int k = 0; k < n; k++) {
        double mean = 0;
        for (double[] model : models) {
          mean += model[k] / models.length;
        }
        boolean equal = true;
        for (double[] model : models) {
          variance[k] += (model[k] - mean) * (model[k] - mean) / models.length;
          equal &= model[k] == models[0][k];
        }
        variance[k] = equal ? 0 : variance[k];
        different += equal ? 0 : 1;
      }
      int[] order = Thinned.order(variance);
      for (int place = (int) Math.floor(share * different + 1e-9); place < n; place++) {
        for (double[] change : changes) {
          change[order[place]] = 0;
        }
      }
    }
    double[] weights = new double[models.length];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = Arrays.stream(changes[i]).map(change -> change * change).sum() / n;
    }
    double[] votes = new double[weights.length];
    Arrays.fill(votes, 1);
    return Thinned.elected(base, changes, votes, weights, 1, true);
  }

  @ParameterizedTest
  @CsvSource({"2, 0", "2, 0.001", "2, 0.3", "3, 0.9", "4, 0.5", "4, 1", "2, 1"})
  void itIsThePlainComputation(int models, double share) {
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i <= models; i++) {
        int seed = 40 + i;
        scenario.model(
            TYPES.stream()
                .map(type -> random(type.label(), type, seed, 29, 31))
                .toArray(TestTensor[]::new));
      }
      SceMerge method = new SceMerge(share);
      Checkpoint merged = scenario.run(method, DType.F64);
      for (var tensor : scenario.plan(method).merged()) {
        double[][] theta =
            tensor.operands().theta().stream()
                .map(operand -> operand.view().toDoubles())
                .toArray(double[][]::new);
        double[] expected = sce(theta[0], Arrays.copyOfRange(theta, 1, theta.length), share);
        Thinned.assertClose(merged.tensor(tensor.output().name()).toDoubles(), expected, 1e-13);
      }
    }
  }

  @Test
  void largerChangesHaveMoreWeight() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(2), 0, 0));
      scenario.model(f32("w", Shape.of(2), 1, 1));
      scenario.model(f32("w", Shape.of(2), 3, 3));
      // Weights 1 and 9.
      assertThat(scenario.run(new SceMerge(1)).tensor("w").toFloats()).containsExactly(2.8f, 2.8f);
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(4), 0, 0, 0, 0));
      scenario.model(f32("w", Shape.of(4), 5, 1, 2, 1));
      scenario.model(f32("w", Shape.of(4), 5, 2, 4, -1));
      // Of three that differ two: the third, and of the second and fourth the one that comes first
      // would be taken if they were equal, but 1 − (−1) is more.
      assertThat(scenario.run(new SceMerge(0.7)).tensor("w").toFloats())
          .containsExactly(0, 0, (5f * 2 + 17f * 4) / 22, 1);
    }
  }

  @Test
  void threeModelsInAnyOrderGiveTheSameBits() {
    TestTensor[] models = new TestTensor[3];
    for (int i = 0; i < 3; i++) {
      models[i] = random("w", DType.BF16, 60 + i, 3000);
    }
    TestTensor base = random("w", DType.BF16, 59, 3000);
    float[] expected = null;
    List<TestTensor> order = new ArrayList<>(List.of(models));
    for (int shift = 0; shift < 3; shift++) {
      try (Scenario scenario = new Scenario(folder)) {
        scenario.model(base);
        order.forEach(scenario::model);
        float[] found = scenario.run(new SceMerge(0.5)).tensor("w").toFloats();
        expected = expected == null ? found : expected;
        assertThat(found).isEqualTo(expected);
      }
      Collections.rotate(order, 1);
    }
  }

  @Test
  void valuesWhoseSquaresAreBeyondDoublesHaveAVariance() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", Shape.of(3), 0, 0, 0));
      scenario.model(f64("w", Shape.of(3), 1e300, 1e299, -Double.MAX_VALUE));
      scenario.model(f64("w", Shape.of(3), 1e300, -1e299, Double.MAX_VALUE));
      double[] found = scenario.run(new SceMerge(0.5)).tensor("w").toDoubles();
      assertThat(found).containsExactly(0, 0, Double.MAX_VALUE);
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w", Shape.of(2), 0, 0));
      scenario.model(f64("w", Shape.of(2), 1e-200, 3e-200));
      scenario.model(f64("w", Shape.of(2), 1e-200, 1e-200));
      assertThat(scenario.run(new SceMerge(0.99)).tensor("w").toDoubles()).containsExactly(0, 0);
      double[] found = scenario.run(new SceMerge(1)).tensor("w").toDoubles();
      Thinned.assertClose(found, new double[] {1e-200, 32e-200 / 12}, 1e-14);
    }
  }

  @Test
  void nonFiniteValuesAreRefused() {
    MergeOptions lenient = new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, true);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(2), 1, 2)).model(f32("w", Shape.of(2), 1, 3));
      scenario.model(f32("w", Shape.of(2), 1, Float.NaN));
      assertThatThrownBy(() -> scenario.run(new SceMerge(0.5), lenient))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining(scenario.path(2) + "|w")
          .hasMessageContaining("index 1");
    }
  }
}
