package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.network.Factors;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.PlainFisher;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import dev.smelt.gpu.torch.Autograd;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FisherEstimatorTest {

  /** f32 gradients against f64, per tensor: norm of the difference over norm. */
  private static final double TOLERANCE = 2e-5;

  /**
   * Norms below this share of the largest are rounding: the gradient of a key's bias is exactly 0,
   * for softmax does not see a shift.
   */
  private static final double NEGLIGIBLE = 1e-9;

  /** Mixed lengths, so that batches have padding; some tokens come up twice in an example. */
  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3);

  private static final List<Example> LABELLED = TestData.labelled(4, 1, 7, 2, 6);

  @TempDir private Path folder;

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private static Map<String, double[]> estimate(
      Network network, List<Example> examples, Labels labels, int batch, long seed) {
    return Estimates.diagonal(network, examples, labels, batch, seed);
  }

  private void assertFisher(
      TinyModel model, List<Example> examples, Labels labels, Map<String, double[]> expected) {
    try (Network network = load(model)) {
      for (int batch : new int[] {1, 2, examples.size()}) {
        assertSame(estimate(network, examples, labels, batch, 0), expected, TOLERANCE);
      }
    }
  }

  @Test
  void agreesWithDifferencesOnLanguageModels() {
    TinyModel gpt2 = TinyModels.gpt2();
    assertFisher(gpt2, WINDOWS, Labels.EMPIRICAL, PlainFisher.empirical(gpt2, WINDOWS));
  }

  @Test
  void agreesWithDifferencesOnClassifiers() {
    for (TinyModel model : List.of(TinyModels.gpt2Classifier(), TinyModels.bert())) {
      assertFisher(model, LABELLED, Labels.EMPIRICAL, PlainFisher.empirical(model, LABELLED));
      assertFisher(model, LABELLED, Labels.EXPECTED, PlainFisher.expected(model, LABELLED));
    }
  }

  @Test
  void agreesWithDifferencesOnFactors() {
    TinyModel gpt2 = Factors.ofEveryModule(TinyModels.gpt2());
    assertFisher(gpt2, WINDOWS, Labels.EMPIRICAL, PlainFisher.empirical(gpt2, WINDOWS));
    TinyModel bert = Factors.ofEveryModule(TinyModels.bert());
    assertFisher(bert, LABELLED, Labels.EXPECTED, PlainFisher.expected(bert, LABELLED));
  }

  @Test
  void agreesWithDifferencesOnSingleTokens() {
    List<Example> windows = TestData.windows(1, 1, 1);
    TinyModel gpt2 = TinyModels.gpt2();
    assertFisher(gpt2, windows, Labels.EMPIRICAL, PlainFisher.empirical(gpt2, windows));
  }

  @Test
  void agreesWithGradientsOfTheWeightsThemselves() {
    for (TinyModel model : List.of(TinyModels.gpt2(), TinyModels.bert())) {
      List<Example> examples = model.has("classifier.weight") ? LABELLED : WINDOWS;
      try (Network network = load(model)) {
        Map<String, double[]> expected = oneByOne(network, examples);
        for (int batch : new int[] {1, 3, examples.size()}) {
          assertSame(estimate(network, examples, Labels.EMPIRICAL, batch, 0), expected, TOLERANCE);
        }
      }
    }
  }

  /** Plain automatic differentiation with weights that require gradients, an example at a time. */
  private static Map<String, double[]> oneByOne(Network network, List<Example> examples) {
    Map<String, double[]> sums = new LinkedHashMap<>();
    Map<String, Parameter> parameters = parametersOf(network, examples.getFirst());
    parameters.values().forEach(parameter -> parameter.value().setRequiresGradient(true));
    for (Example example : examples) {
      try (NDManager manager = network.device().scope()) {
        Batch batch = Batch.of(0, List.of(example));
        NDArray logits =
            Autograd.recorded(() -> network.model().logits(manager, batch, Tape.off()));
        Autograd.backward(
            logits, LogitGradients.of(logits, batch, Labels.EMPIRICAL, 0).getFirst(), false);
      }
      parameters.forEach(
          (name, parameter) -> {
            double[] gradient = widen(parameter.value().getGradient().toFloatArray());
            double[] sum = sums.computeIfAbsent(name, key -> new double[gradient.length]);
            for (int i = 0; i < sum.length; i++) {
              sum[i] += gradient[i] * gradient[i] / examples.size();
            }
            Autograd.clear(parameter.value());
          });
    }
    parameters.values().forEach(parameter -> parameter.value().setRequiresGradient(false));
    return sums;
  }

  private static Map<String, Parameter> parametersOf(Network network, Example example) {
    Map<String, Parameter> parameters = new LinkedHashMap<>();
    Tape tape = Tape.recording();
    try (NDManager manager = network.device().scope()) {
      network.model().logits(manager, Batch.of(0, List.of(example)), tape);
      tape.taps()
          .forEach(
              tap -> tap.uses().forEach(u -> parameters.put(u.parameter().name(), u.parameter())));
    }
    return parameters;
  }

  /** 20,000 draws; batches of one composition, so that only the labels drawn make them differ. */
  @Test
  void averagesSampledLabelsToTheExpectation() {
    int repeats = 50;
    int batches = 80;
    List<Example> composition = new ArrayList<>();
    for (int i = 0; i < repeats; i++) {
      composition.addAll(LABELLED);
    }
    List<Example> draws = new ArrayList<>();
    for (int i = 0; i < batches; i++) {
      draws.addAll(composition);
    }
    assertThat(draws).hasSize(20_000);
    try (Network network = load(TinyModels.bert());
        Estimate sampled =
            FisherEstimator.estimate(
                network,
                TestData.dataset(draws),
                FisherOptions.diagonal(Labels.SAMPLED, composition.size(), 3),
                Saving.never(Estimates.TARGET),
                Progress.NONE)) {
      Map<String, double[]> expected = estimate(network, LABELLED, Labels.EXPECTED, 5, 0);
      Map<String, double[]> found = Estimates.arrays(sampled);
      double squares = 0;
      int tensors = 0;
      for (Map.Entry<String, Double> error : sampled.precision().tensors().entrySet()) {
        double sum = sum(found, "diag/" + error.getKey());
        if (sum < NEGLIGIBLE) {
          continue;
        }
        double standardErrors = (sum / sum(expected, error.getKey()) - 1) / error.getValue();
        assertThat(standardErrors).as(error.getKey()).isBetween(-4.0, 4.0);
        squares += standardErrors * standardErrors;
        tensors++;
      }
      // Were the errors far too large or too small, this would be far from 1.
      assertThat(squares / tensors).isBetween(0.1, 4.0);
    }
  }

  private static double sum(Map<String, double[]> arrays, String name) {
    assertThat(arrays).containsKey(name);
    return DoubleStream.of(arrays.getOrDefault(name, new double[0])).sum();
  }

  @Test
  void drawsLabelsThatDependOnSeedAndPlaceButNotOnTheBatch() {
    try (Network network = load(TinyModels.gpt2())) {
      Map<String, double[]> one = estimate(network, WINDOWS, Labels.SAMPLED, 1, 5);
      Map<String, double[]> all = estimate(network, WINDOWS, Labels.SAMPLED, WINDOWS.size(), 5);
      Map<String, double[]> other = estimate(network, WINDOWS, Labels.SAMPLED, 1, 6);
      assertSame(all, one, TOLERANCE);
      String name = "transformer.h.0.mlp.c_fc.weight";
      assertThat(distance(other, one, name)).isGreaterThan(0.01);
      List<Example> twice = List.of(WINDOWS.getFirst(), WINDOWS.getFirst());
      List<Example> once = List.of(WINDOWS.getFirst());
      assertThat(
              distance(
                  estimate(network, twice, Labels.SAMPLED, 2, 5),
                  estimate(network, once, Labels.SAMPLED, 1, 5),
                  name))
          .isGreaterThan(0.01);
    }
  }

  @Test
  void leavesNothingBehindOnTheDevice() {
    try (Network network = load(TinyModels.gpt2())) {
      NDManager weights =
          parametersOf(network, WINDOWS.getFirst()).values().iterator().next().value().getManager();
      estimate(network, WINDOWS, Labels.SAMPLED, 2, 0);
      int before = weights.getManagedArrays().size();
      int rootBefore = weights.getParentManager().getManagedArrays().size();
      estimate(network, WINDOWS, Labels.SAMPLED, 2, 0);
      Evaluator.evaluate(network, TestData.dataset(WINDOWS), 2, Progress.NONE);
      assertThat(weights.getManagedArrays()).hasSize(before);
      assertThat(weights.getParentManager().getManagedArrays()).hasSize(rootBefore);
    }
  }

  @Test
  void reportsProgressInExamples() {
    AtomicLong done = new AtomicLong();
    Progress progress =
        (what, total, unit) -> {
          assertThat(total).isEqualTo(WINDOWS.size());
          assertThat(unit).isEqualTo("examples");
          return new Progress.Task() {
            @Override
            public void advance(long amount) {
              done.addAndGet(amount);
            }

            @Override
            public void close() {
              assertThat(done).hasValue(WINDOWS.size());
            }
          };
        };
    try (Network network = load(TinyModels.gpt2())) {
      FisherEstimator.estimate(
              network,
              TestData.dataset(WINDOWS),
              FisherOptions.diagonal(Labels.EMPIRICAL, 3, 0),
              Saving.never(Estimates.TARGET),
              progress)
          .close();
    }
    assertThat(done).hasValue(WINDOWS.size());
  }

  @Test
  void givesOneDiagonalPerParameterInItsStoredShape() {
    try (Network network = load(TinyModels.gpt2());
        Estimate estimate =
            FisherEstimator.estimate(
                network,
                TestData.dataset(WINDOWS),
                FisherOptions.diagonal(Labels.EMPIRICAL, 2, 0),
                Saving.never(Estimates.TARGET),
                Progress.NONE)) {
      assertThat(estimate.course().examples()).isEqualTo(WINDOWS.size());
      assertThat(estimate.course().tokens())
          .isEqualTo(WINDOWS.stream().mapToInt(TestData::length).sum());
      List<TensorInfo> expected =
          network.parameters().stream()
              .map(info -> new TensorInfo("diag/" + info.name(), DType.F32, info.shape()))
              .toList();
      assertThat(estimate.tensors()).containsExactlyElementsOf(expected);
    }
  }

  @Test
  void refusesTheExpectationForLanguageModels() {
    try (Network network = load(TinyModels.gpt2())) {
      assertThatThrownBy(() -> estimate(network, WINDOWS, Labels.EXPECTED, 1, 0))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("at most 64 classes")
          .hasMessageContaining("--labels sampled");
    }
  }

  @Test
  void readsLabelRules() {
    assertThat(Labels.parse("empirical")).isEqualTo(Labels.EMPIRICAL);
    assertThat(Labels.parse("sampled")).isEqualTo(Labels.SAMPLED);
    assertThat(Labels.parse("expected")).isEqualTo(Labels.EXPECTED);
    assertThatThrownBy(() -> Labels.parse("Empirical"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("empirical, sampled or expected");
  }

  private static void assertSame(
      Map<String, double[]> found, Map<String, double[]> expected, double tolerance) {
    assertThat(found.keySet()).containsExactlyInAnyOrderElementsOf(expected.keySet());
    double largest = expected.values().stream().mapToDouble(v -> norm(v)).max().orElseThrow();
    for (Map.Entry<String, double[]> entry : expected.entrySet()) {
      String name = entry.getKey();
      if (norm(entry.getValue()) < NEGLIGIBLE * largest) {
        assertThat(norm(found.getOrDefault(name, new double[0])))
            .as(name)
            .isLessThan(NEGLIGIBLE * largest);
      } else {
        assertThat(distance(found, expected, name)).as(name).isLessThan(tolerance);
      }
    }
  }

  private static double distance(
      Map<String, double[]> found, Map<String, double[]> expected, String name) {
    double[] a = found.getOrDefault(name, new double[0]);
    double[] b = expected.getOrDefault(name, new double[0]);
    assertThat(a).hasSameSizeAs(b);
    double[] difference = new double[a.length];
    for (int i = 0; i < a.length; i++) {
      difference[i] = a[i] - b[i];
    }
    return norm(difference) / norm(b);
  }

  private static double norm(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  private static double[] widen(float[] values) {
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return wide;
  }
}
