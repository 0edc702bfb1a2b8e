package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.f64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.mean.RegMeanMerge;
import dev.smelt.merge.method.MergeMethod;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The regression mean against the gradient of what it minimises, and what must hold exactly. */
class RegMeanMergeTest {

  private static final int OUT = 5;
  private static final int IN = 7;
  private static final double DAMPING = 0.02;
  private static final String GPT2 = "{\"model_type\": \"gpt2\"}";
  private static final MergeMethod LINEAR = new LinearMerge(List.of());

  @TempDir private Path folder;

  /** XᵀX/n of random inputs, more of them than there are columns. */
  private static double[] gram(long seed, int n) {
    Random random = new Random(seed);
    double[] gram = new double[n * n];
    for (int sample = 0; sample < 3 * n; sample++) {
      double[] x = random.doubles(n, -1, 1.5).toArray();
      for (int i = 0; i < n * n; i++) {
        gram[i] += x[i / n] * x[i % n] / (3 * n);
      }
    }
    return gram;
  }

  private static TestTensor statistic(String name, double[] gram, int n) {
    String module = name.substring(0, name.length() - ".weight".length());
    return f64("input_gram/" + module, Shape.of(n, n), gram);
  }

  private static double[] values(long seed, int count) {
    return new Random(seed).doubles(count, -1, 1).toArray();
  }

  private static double[] transposed(double[] matrix, int rows) {
    double[] other = new double[matrix.length];
    int cols = matrix.length / rows;
    for (int i = 0; i < matrix.length; i++) {
      other[i % cols * rows + i / cols] = matrix[i];
    }
    return other;
  }

  /** At the minimum of Σ λᵢ tr((W − Wᵢ) Âᵢ (W − Wᵢ)ᵀ) its gradient is zero. */
  private static double[] gradient(
      double[] w, List<double[]> models, List<double[]> grams, List<Double> weights, double alpha) {
    double[] gradient = new double[w.length];
    double trace = 0;
    for (int i = 0; i < models.size() * IN; i++) {
      trace += weights.get(i / IN) * grams.get(i / IN)[i % IN * IN + i % IN];
    }
    for (int model = 0; model < models.size(); model++) {
      for (int row = 0; row < OUT; row++) {
        for (int j = 0; j < IN; j++) {
          for (int k = 0; k < IN; k++) {
            double a = grams.get(model)[k * IN + j];
            a = j == k ? a + DAMPING * trace / IN : a * alpha;
            gradient[row * IN + j] +=
                weights.get(model) * (w[row * IN + k] - models.get(model)[row * IN + k]) * a;
          }
        }
      }
    }
    return gradient;
  }

  @ParameterizedTest
  @CsvSource({"1, false", "0.9, false", "0, false", "0.9, true"})
  void minimisesWhatItsModelsMissOfTheirOutputs(double alpha, boolean conv1d) {
    List<Double> weights = List.of(0.5, 0.2, 0.3);
    List<double[]> models = List.of(values(1, OUT * IN), values(2, OUT * IN), values(3, OUT * IN));
    List<double[]> grams = List.of(gram(4, IN), gram(5, IN), gram(6, IN));
    String name = conv1d ? "h.0.mlp.c_fc.weight" : "w.weight";
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i < 3; i++) {
        TestTensor stored =
            conv1d
                ? f64(name, Shape.of(IN, OUT), transposed(models.get(i), OUT))
                : f64(name, Shape.of(OUT, IN), models.get(i));
        scenario.model(conv1d ? GPT2 : "{}", stored).statistics(statistic(name, grams.get(i), IN));
      }
      double[] found =
          scenario.run(new RegMeanMerge(weights, alpha, DAMPING, LINEAR)).tensor(name).toDoubles();
      double[] w = conv1d ? transposed(found, IN) : found;
      assertThat(gradient(w, models, grams, weights, alpha))
          .containsExactly(new double[OUT * IN], within(1e-12));
    }
  }

  @Test
  void ofOneInputItIsTheMeanWeightedByItsSquares() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f64("w.weight", Shape.of(2, 1), 1, 2));
      scenario.statistics(statistic("w.weight", new double[] {3}, 1));
      scenario.model(f64("w.weight", Shape.of(2, 1), 5, -2));
      scenario.statistics(statistic("w.weight", new double[] {1}, 1));
      assertThat(
              scenario
                  .run(new RegMeanMerge(List.of(), 0.9, DAMPING, LINEAR))
                  .tensor("w.weight")
                  .toDoubles())
          // The mean of 3 and 1 is 2, of which 0.02 are 0.04: (3.04 a + 1.04 b) / 4.08.
          .containsExactly(new double[] {8.24 / 4.08, 4 / 4.08}, within(1e-12));
    }
  }

  @Test
  void aConvolutionIsTheMatrixOfItsPatches() {
    double[] a = values(1, OUT * IN * 4);
    double[] b = values(2, OUT * IN * 4);
    double[] ofA = gram(3, IN * 4);
    double[] ofB = gram(4, IN * 4);
    try (Scenario matrices = new Scenario(folder);
        Scenario convolutions = new Scenario(folder)) {
      for (boolean first : new boolean[] {true, false}) {
        double[] w = first ? a : b;
        double[] gram = first ? ofA : ofB;
        matrices.model(f64("w.weight", Shape.of(OUT, IN * 4), w));
        matrices.statistics(statistic("w.weight", gram, IN * 4));
        convolutions.model(f64("w.weight", Shape.of(OUT, IN, 2, 2), w));
        convolutions.statistics(statistic("w.weight", gram, IN * 4));
      }
      RegMeanMerge method = new RegMeanMerge(List.of(), 0.9, DAMPING, LINEAR);
      assertThat(convolutions.run(method).tensor("w.weight").toDoubles())
          .containsExactly(matrices.run(method).tensor("w.weight").toDoubles());
    }
  }

  @Test
  void deadInputsGetTheMean() {
    double[] gram = gram(9, IN);
    for (int i = 0; i < IN; i++) {
      gram[2 * IN + i] = 0;
      gram[i * IN + 2] = 0;
    }
    try (Scenario scenario = new Scenario(folder)) {
      for (int model = 0; model < 2; model++) {
        scenario.model(f64("w.weight", Shape.of(OUT, IN), values(model, OUT * IN)));
        scenario.statistics(statistic("w.weight", gram, IN));
      }
      double[] found =
          scenario
              .run(new RegMeanMerge(List.of(3.0, 1.0), 0.9, DAMPING, LINEAR))
              .tensor("w.weight")
              .toDoubles();
      double[] first = values(0, OUT * IN);
      double[] second = values(1, OUT * IN);
      for (int row = 0; row < OUT; row++) {
        int at = row * IN + 2;
        assertThat(found[at]).isCloseTo(0.75 * first[at] + 0.25 * second[at], within(1e-12));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"F32, 1, 2", "BF16, 1, 2", "F16, 0, 1", "F64, 3, 0"})
  void equalModelsAndAllWeightOnOneGiveThatModelBitForBit(DType dtype, double one, double other) {
    TestTensor a = random("w.weight", dtype, 1, OUT, IN);
    TestTensor b = random("w.weight", dtype, 2, OUT, IN);
    TestTensor expected = other == 0 ? a : b;
    try (Scenario equal = new Scenario(folder);
        Scenario different = new Scenario(folder)) {
      equal.model(a).statistics(statistic("w.weight", gram(1, IN), IN));
      equal.model(a).statistics(statistic("w.weight", gram(2, IN), IN));
      assertBytes(equal.run(new RegMeanMerge(List.of(one, other), 0.9, DAMPING, LINEAR)), a);
      if (one == 0 || other == 0) {
        different.model(a).statistics(statistic("w.weight", gram(1, IN), IN));
        different.model(b).statistics(statistic("w.weight", gram(2, IN), IN));
        assertBytes(
            different.run(new RegMeanMerge(List.of(one, other), 0.9, DAMPING, LINEAR)), expected);
      }
    }
  }

  private static void assertBytes(Checkpoint merged, TestTensor expected) {
    assertThat(merged.tensor("w.weight").segment().toArray(ValueLayout.JAVA_BYTE))
        .isEqualTo(expected.bytes());
  }

  @Test
  void theRestIsMergedByItsOwnMethod() {
    double[] gram = gram(1, 2);
    try (Scenario scenario = new Scenario(folder)) {
      for (int model = 0; model < 2; model++) {
        scenario.model(
            f64("w.weight", Shape.of(1, 2), model, 2), f32("b", Shape.of(2), model, 4 * model));
        scenario.statistics(
            statistic("w.weight", gram, 2),
            f32("diag/b", Shape.of(2), 1, model == 0 ? 3 : 1),
            f32("diag/w.weight", Shape.of(1, 2), 100, 100));
      }
      MergeMethod fisher = new FisherMerge(List.of(), false, 0, false);
      assertThat(
              scenario
                  .run(new RegMeanMerge(List.of(), 0.9, DAMPING, fisher))
                  .tensor("b")
                  .toDoubles())
          .containsExactly(0.5, 1);
      assertThat(
              scenario
                  .run(new RegMeanMerge(List.of(), 0.9, DAMPING, LINEAR))
                  .tensor("b")
                  .toDoubles())
          .containsExactly(0.5, 2);
      // Fisher information is normalised over what is merged by it: √(1 + 3²) and √2.
      MergeMethod normalised = new FisherMerge(List.of(), true, 0, false);
      double one = 1 / Math.sqrt(10);
      double two = 1 / Math.sqrt(2);
      assertThat(
              scenario
                  .run(new RegMeanMerge(List.of(), 0.9, DAMPING, normalised))
                  .tensor("b")
                  .toDoubles())
          .containsExactly(
              new double[] {two / (one + two), 4 * two / (3 * one + two)}, within(1e-6));
    }
  }

  /** Its Gram matrix is that of the head: rows are also looked up. */
  @Test
  void aTiedEmbeddingIsOfTheRest() {
    try (Scenario scenario = new Scenario(folder)) {
      for (int model = 0; model < 2; model++) {
        scenario.model(
            GPT2,
            f64("wte.weight", Shape.of(3, 2), values(model, 6)),
            f64("h.0.mlp.c_fc.weight", Shape.of(2, 3), values(2 + model, 6)));
        scenario.statistics(
            statistic("wte.weight", gram(4 + model, 2), 2),
            statistic("h.0.mlp.c_fc.weight", gram(6 + model, 2), 2));
      }
      Checkpoint merged = scenario.run(new RegMeanMerge(List.of(), 0.9, DAMPING, LINEAR));
      double[] one = values(0, 6);
      double[] other = values(1, 6);
      double[] mean = new double[6];
      Arrays.setAll(mean, i -> (one[i] + other[i]) / 2);
      assertThat(merged.tensor("wte.weight").toDoubles()).containsExactly(mean, within(1e-15));
    }
  }

  @Test
  void missingAndMisshapenStatisticsAreRefused() {
    MergeMethod method = new RegMeanMerge(List.of(), 0.9, DAMPING, LINEAR);
    TestTensor w = f64("w.weight", Shape.of(1, 2), 1, 2);
    TestTensor v = f64("v.weight", Shape.of(1, 2), 1, 2);
    TestTensor ofW = statistic("w.weight", gram(1, 2), 2);
    TestTensor ofV = statistic("v.weight", gram(1, 2), 2);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(w).statistics(ofW).model(w).statistics(f32("diag/w.weight", w.shape(), 1, 1));
      assertThatThrownBy(() -> scenario.plan(method))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("no Gram matrices")
          .hasMessageContaining("--stats input-gram");
    }
    for (boolean swapped : new boolean[] {true, false}) {
      try (Scenario scenario = new Scenario(folder)) {
        scenario.model(v, w).statistics(swapped ? ofV : ofW);
        scenario.model(v, w).statistics(ofV, ofW);
        assertThatThrownBy(() -> scenario.plan(method))
            .isInstanceOf(NotFoundException.class)
            .hasMessageContaining("for some models only");
      }
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(w).statistics(statistic("w.weight", gram(1, 3), 3));
      scenario.model(w).statistics(ofW);
      assertThatThrownBy(() -> scenario.plan(method))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("expected [2,2], found [3,3]");
    }
  }
}
