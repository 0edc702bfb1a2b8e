package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Use;
import dev.smelt.gpu.network.Factors;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.TinyDecoders;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Statistics of what layers read, against loops over the inputs that each example alone has:
 * without padding and without batches.
 */
class InputStatisticsTest {

  /** f32 sums in another order, relative to the largest value. */
  private static final double TOLERANCE = 1e-5;

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3, 6, 7);
  private static final List<Example> LABELLED = TestData.labelled(4, 1, 7, 2, 6);

  @TempDir private Path folder;

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder.resolve("model")))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private static FisherOptions options(int batch, Labels labels, Statistic... statistics) {
    return new FisherOptions(
        EnumSet.copyOf(Set.of(statistics)),
        labels,
        0,
        BatchSize.exactly(batch),
        OptionalDouble.empty());
  }

  private static Map<String, double[]> estimate(
      Network network, List<Example> examples, int batch, Statistic... statistics) {
    return Estimates.of(
        network, TestData.dataset(examples), options(batch, Labels.EMPIRICAL, statistics));
  }

  /** Both statistics by tensor name, by their definitions. */
  private static Map<String, double[]> expected(Network network, List<Example> examples) {
    Map<String, double[]> sums = new TreeMap<>();
    for (Example example : examples) {
      try (NDManager manager = network.device().scope()) {
        Tape tape = Tape.recording();
        var _ = network.model().logits(manager, Batch.of(0, List.of(example)), tape);
        for (Tape.Tap tap : tape.taps()) {
          for (Use use : tap.uses()) {
            // No model here multiplies by a matrix in both ways.
            if (use instanceof Use.Product product) {
              add(sums, product, examples.size());
            }
          }
        }
      }
    }
    return sums;
  }

  private static void add(Map<String, double[]> sums, Use.Product product, int examples) {
    TensorInfo info = product.parameter().info();
    float[] w = product.parameter().value().toFloatArray();
    NDArray inputs = product.x();
    int in = (int) inputs.getShape().get(2);
    int out = w.length / in;
    float[] x = inputs.toFloatArray();
    double[] norms =
        sums.computeIfAbsent(Statistic.INPUT_NORMS.tensorName(info.name()), key -> new double[in]);
    double[] shares =
        sums.computeIfAbsent(
            Statistic.CONTRIBUTION.tensorName(info.name()), key -> new double[w.length]);
    boolean outIn = product.layout() == Layout.OUT_IN;
    for (int t = 0; t < x.length / in; t++) {
      for (int k = 0; k < in; k++) {
        double square = (double) x[t * in + k] * x[t * in + k];
        norms[k] += square / examples;
      }
      for (int j = 0; j < out; j++) {
        double all = 0;
        for (int k = 0; k < in; k++) {
          all += Math.abs((double) w[outIn ? j * in + k : k * out + j] * x[t * in + k]);
        }
        for (int k = 0; k < in && all > 0; k++) {
          int at = outIn ? j * in + k : k * out + j;
          shares[at] += Math.abs((double) w[at] * x[t * in + k]) / all / examples;
        }
      }
    }
  }

  private static void assertSame(Map<String, double[]> found, Map<String, double[]> expected) {
    assertThat(found.keySet()).containsExactlyInAnyOrderElementsOf(expected.keySet());
    expected.forEach(
        (name, values) -> {
          double largest = 0;
          for (double value : values) {
            largest = Math.max(largest, Math.abs(value));
          }
          assertThat(largest).as(name).isPositive();
          assertThat(found.getOrDefault(name, new double[0]))
              .as(name)
              .containsExactly(values, within(TOLERANCE * largest));
        });
  }

  private void assertModel(TinyModel model, List<Example> examples) {
    try (Network network = load(model)) {
      Map<String, double[]> expected = expected(network, examples);
      for (int batch : new int[] {1, 3}) {
        assertSame(
            estimate(network, examples, batch, Statistic.INPUT_NORMS, Statistic.CONTRIBUTION),
            expected);
      }
    }
  }

  @Test
  void ofEveryKindOfLayer() {
    assertModel(TinyModels.gpt2(), WINDOWS);
    assertModel(TinyModels.bert(), LABELLED);
    assertModel(TinyDecoders.languageModel("llama"), WINDOWS);
    assertModel(Factors.ofEveryModule(TinyDecoders.languageModel("llama")), WINDOWS);
    assertModel(TinyEncoders.vit(), TinyEncoders.images(4));
  }

  @Test
  void ofFactorsEachByItself() {
    try (Network network = load(Factors.ofEveryModule(TinyDecoders.languageModel("llama")))) {
      Map<String, double[]> found =
          estimate(network, WINDOWS, 2, Statistic.INPUT_NORMS, Statistic.CONTRIBUTION);
      String module = "model.layers.0.mlp.up_proj.";
      assertThat(found)
          .containsKeys(
              "input_norms/" + module + "ALinear",
              "input_norms/" + module + "BLinear",
              "contribution/" + module + "ALinear.weight",
              "contribution/" + module + "BLinear.weight");
    }
  }

  @Test
  void areTheSameBesideABackwardPass() {
    try (Network network = load(TinyModels.gpt2())) {
      Map<String, double[]> alone =
          estimate(
              network,
              WINDOWS,
              2,
              Statistic.INPUT_NORMS,
              Statistic.INPUT_GRAM,
              Statistic.CONTRIBUTION);
      Map<String, double[]> beside = estimate(network, WINDOWS, 2, Statistic.values());
      alone.forEach(
          (name, values) ->
              assertThat(beside.getOrDefault(name, new double[0])).as(name).isEqualTo(values));
    }
  }

  @Test
  void normsAreTheDiagonalOfTheGram() {
    try (Network network = load(TinyModels.bert())) {
      Map<String, double[]> found =
          estimate(network, LABELLED, 3, Statistic.INPUT_NORMS, Statistic.INPUT_GRAM);
      found.forEach(
          (name, norms) -> {
            if (name.startsWith("input_norms/")) {
              double[] gram =
                  found.getOrDefault(name.replace("input_norms/", "input_gram/"), new double[0]);
              for (int k = 0; k < norms.length; k++) {
                double expected = gram[k * (norms.length + 1)];
                assertThat(norms[k]).isCloseTo(expected, within(TOLERANCE * expected));
              }
            }
          });
    }
  }

  @Test
  void inputsAreCountedOnceHoweverManyLabelsThereAre() {
    try (Network network = load(TinyModels.bert())) {
      Map<String, double[]> empirical =
          estimate(network, LABELLED, 2, Statistic.INPUT_NORMS, Statistic.CONTRIBUTION);
      Map<String, double[]> expected =
          Estimates.of(
              network,
              TestData.dataset(LABELLED),
              options(
                  2,
                  Labels.EXPECTED,
                  Statistic.INPUT_NORMS,
                  Statistic.CONTRIBUTION,
                  Statistic.DIAG));
      empirical.forEach(
          (name, values) ->
              assertThat(expected.getOrDefault(name, new double[0])).as(name).isEqualTo(values));
    }
  }

  @Test
  void saysWhichTablesHaveNone() {
    try (Network network = load(TinyModels.gpt2());
        Estimate found =
            FisherEstimator.estimate(
                network,
                TestData.dataset(WINDOWS),
                options(2, Labels.EMPIRICAL, Statistic.CONTRIBUTION, Statistic.INPUT_NORMS),
                Saving.never(Estimates.TARGET),
                Progress.NONE)) {
      assertThat(found.course().notes())
          .containsExactly(
              "left out: transformer.wpe.weight: no input-norms of what is looked up",
              "left out: transformer.wpe.weight: no contribution of what is looked up");
    }
  }
}
