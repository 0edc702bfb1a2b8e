package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DeviceException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.network.SmallMemory;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is estimated together, kept on the way, and said about its precision. */
class EstimateTest {

  /** f32 sums in another order. */
  private static final double TOLERANCE = 1e-5;

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3, 6, 2, 4, 7, 3, 5, 6, 1);
  private static final List<Example> LABELLED = TestData.labelled(4, 1, 7, 2, 6);

  @TempDir private Path folder;

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder.resolve("model")))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private static FisherOptions options(int batch, Statistic... statistics) {
    return new FisherOptions(
        EnumSet.copyOf(Set.of(statistics)),
        Labels.EMPIRICAL,
        0,
        BatchSize.exactly(batch),
        OptionalDouble.empty());
  }

  private static Map<String, double[]> estimate(
      Network network, List<Example> examples, FisherOptions options) {
    return Estimates.of(network, TestData.dataset(examples), options);
  }

  private static double[] get(Map<String, double[]> arrays, String name) {
    assertThat(arrays).containsKey(name);
    return arrays.getOrDefault(name, new double[0]);
  }

  private static void assertClose(double[] found, double[] expected, String what) {
    assertThat(found).as(what).hasSameSizeAs(expected);
    double norm = Math.sqrt(DoubleStream.of(expected).map(v -> v * v).sum());
    for (int i = 0; i < found.length; i++) {
      assertThat(found[i]).as(what).isCloseTo(expected[i], within(TOLERANCE * norm));
    }
  }

  @Test
  void namesAndShapesEveryStatistic() {
    try (Network network = load(TinyModels.gpt2());
        Estimate estimate =
            FisherEstimator.estimate(
                network,
                TestData.dataset(WINDOWS),
                options(4, Statistic.values()),
                Saving.never(Estimates.TARGET),
                Progress.NONE)) {
      Map<String, Shape> shapes =
          estimate.tensors().stream()
              .collect(Collectors.toMap(TensorInfo::name, TensorInfo::shape));
      assertThat(shapes)
          .containsEntry("diag/transformer.h.0.mlp.c_fc.weight", Shape.of(8, 12))
          .containsEntry("mean_gradient/transformer.h.0.mlp.c_fc.weight", Shape.of(8, 12))
          .containsEntry("rows/transformer.h.0.mlp.c_fc", Shape.of(12))
          .containsEntry("cols/transformer.h.0.mlp.c_fc", Shape.of(8))
          .containsEntry("input_gram/transformer.h.0.mlp.c_fc", Shape.of(8, 8))
          .containsEntry("grad_gram/transformer.h.0.mlp.c_fc", Shape.of(12, 12))
          .containsEntry("input_norms/transformer.h.0.mlp.c_fc", Shape.of(8))
          .containsEntry("input_norms/transformer.wte", Shape.of(8))
          .containsEntry("contribution/transformer.h.0.mlp.c_fc.weight", Shape.of(8, 12))
          .containsEntry("contribution/transformer.wte.weight", Shape.of(11, 8))
          .containsEntry("entropy/0", Shape.of(1))
          .containsEntry("entropy/2", Shape.of(1))
          .containsEntry("rows/transformer.wte", Shape.of(11))
          .containsEntry("cols/transformer.wpe", Shape.of(8))
          .containsEntry("diag/transformer.ln_f.bias", Shape.of(8))
          .doesNotContainKeys(
              "rows/transformer.ln_f",
              "input_gram/transformer.wpe",
              "contribution/transformer.wpe.weight",
              "input_norms/transformer.ln_f",
              "entropy/3",
              "rows/transformer.ln_f.bias");
    }
  }

  @Test
  void linesAreSumsOfTheDiagonalWithAndWithoutIt() {
    for (TinyModel model : List.of(TinyModels.gpt2(), TinyModels.bert())) {
      List<Example> examples = model.has("classifier.weight") ? LABELLED : WINDOWS;
      try (Network network = load(model)) {
        Map<String, double[]> together =
            estimate(network, examples, options(3, Statistic.DIAG, Statistic.ROWS, Statistic.COLS));
        Map<String, double[]> alone =
            estimate(network, examples, options(3, Statistic.ROWS, Statistic.COLS));
        assertThat(alone.keySet()).noneMatch(name -> name.startsWith("diag/"));
        for (TensorInfo parameter : network.parameters()) {
          if (parameter.shape().isMatrix()) {
            assertLines(parameter, together, alone);
          }
        }
      }
    }
  }

  private static void assertLines(
      TensorInfo parameter, Map<String, double[]> together, Map<String, double[]> alone) {
    double[] diagonal = get(together, "diag/" + parameter.name());
    int height = (int) parameter.shape().size(0);
    int width = (int) parameter.shape().size(1);
    double[] down = new double[width];
    double[] across = new double[height];
    for (int i = 0; i < height; i++) {
      for (int j = 0; j < width; j++) {
        across[i] += diagonal[i * width + j];
        down[j] += diagonal[i * width + j];
      }
    }
    String module = parameter.name().replaceFirst("\\.weight$", "");
    boolean conv1d = module.contains(".c_");
    for (Map<String, double[]> found : List.of(together, alone)) {
      assertClose(get(found, "rows/" + module), conv1d ? down : across, "rows of " + module);
      assertClose(get(found, "cols/" + module), conv1d ? across : down, "columns of " + module);
    }
  }

  @Test
  void inputsAreCountedOnceHoweverManyLabelsThereAre() {
    try (Network network = load(TinyModels.bert())) {
      Function<Labels, Map<String, double[]>> grams =
          labels ->
              estimate(
                  network,
                  LABELLED,
                  new FisherOptions(
                      Set.of(Statistic.INPUT_GRAM),
                      labels,
                      0,
                      BatchSize.exactly(2),
                      OptionalDouble.empty()));
      Map<String, double[]> empirical = grams.apply(Labels.EMPIRICAL);
      Map<String, double[]> expected = grams.apply(Labels.EXPECTED);
      assertThat(expected.keySet()).isEqualTo(empirical.keySet()).isNotEmpty();
      empirical.forEach((name, values) -> assertClose(get(expected, name), values, name));
    }
  }

  @Test
  void leavesOutGramsThatAreTooLargeAndSaysSo() {
    TinyModel wide = TinyModels.gpt2Wide(20_000);
    try (Network network = load(wide);
        Estimate estimate =
            FisherEstimator.estimate(
                network,
                TestData.dataset(TestData.windows(2)),
                options(1, Statistic.GRAD_GRAM),
                Saving.never(Estimates.TARGET),
                Progress.NONE)) {
      assertThat(estimate.tensors())
          .noneMatch(info -> info.name().contains("c_fc"))
          .anyMatch(info -> info.name().equals("grad_gram/transformer.h.0.mlp.c_proj"));
      assertThat(estimate.course().notes())
          .anyMatch(note -> note.contains("h.0.mlp.c_fc.weight") && note.contains("20,000"));
    }
  }

  @Test
  void knowsItsStandardError() {
    try (Network network = load(TinyModels.gpt2());
        Estimate estimate =
            FisherEstimator.estimate(
                network,
                TestData.dataset(WINDOWS),
                options(1, Statistic.DIAG),
                Saving.never(Estimates.TARGET),
                Progress.NONE)) {
      double errors = 0;
      double means = 0;
      for (TensorInfo parameter : network.parameters()) {
        double[] sums =
            WINDOWS.stream()
                .map(one -> estimate(network, List.of(one), options(1, Statistic.DIAG)))
                .mapToDouble(f -> DoubleStream.of(get(f, "diag/" + parameter.name())).sum())
                .toArray();
        double mean = DoubleStream.of(sums).average().orElseThrow();
        double squares = DoubleStream.of(sums).map(v -> (v - mean) * (v - mean)).sum();
        double error = Math.sqrt(squares / (sums.length - 1) / sums.length);
        assertThat(estimate.precision().tensors().get(parameter.name()))
            .isCloseTo(error / mean, within(1e-4 * error / mean));
        errors += error;
        means += mean;
      }
      assertThat(estimate.precision().overall().orElseThrow())
          .isCloseTo(errors / means, within(1e-4 * errors / means));
    }
  }

  @Test
  void weighsTheLastSmallerBatch() {
    BatchSpread spread = new BatchSpread(List.of("w"));
    spread.add(2, new double[] {6});
    assertThat(spread.precision().overall()).isEmpty();
    spread.add(2, new double[] {2});
    spread.add(1, new double[] {2});
    // m = 2; deviations s - n m are 2, -2 and 0; 3/2 * 8 / 25 = 0.48.
    assertThat(spread.precision().overall().orElseThrow())
        .isCloseTo(Math.sqrt(0.48) / 2, within(1e-15));
    BatchSpread copy = new BatchSpread(List.of("w"));
    copy.restore(spread.state());
    assertThat(copy.precision()).isEqualTo(spread.precision());
  }

  @Test
  void stopsWhenItIsPreciseEnough() {
    try (Network network = load(TinyModels.gpt2())) {
      assertThat(examplesUntil(network, 0.99)).isEqualTo(8);
      assertThat(examplesUntil(network, 1e-6)).isEqualTo(WINDOWS.size());
    }
    assertThatThrownBy(() -> until(1.5)).isInstanceOf(UsageException.class);
    assertThatThrownBy(
            () ->
                new FisherOptions(
                    Set.of(Statistic.INPUT_GRAM),
                    Labels.EMPIRICAL,
                    0,
                    BatchSize.exactly(1),
                    OptionalDouble.of(0.1)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("add diag, rows or cols");
  }

  private static FisherOptions until(double error) {
    return new FisherOptions(
        Set.of(Statistic.ROWS),
        Labels.EMPIRICAL,
        0,
        BatchSize.exactly(1),
        OptionalDouble.of(error));
  }

  private static int examplesUntil(Network network, double error) {
    Dataset dataset = TestData.dataset(WINDOWS);
    Saving saving = Saving.never(Estimates.TARGET);
    try (Estimate estimate =
        FisherEstimator.estimate(network, dataset, until(error), saving, Progress.NONE)) {
      return estimate.course().examples();
    }
  }

  @Test
  void choosesTheBatchByMemory() {
    long gigabyte = 1L << 30;
    assertThat(BatchSize.exactly(7).examples(gigabyte, 0, gigabyte)).isEqualTo(7);
    BatchSize within = new BatchSize(16, 4 * gigabyte, true);
    assertThat(within.examples(gigabyte, 0, gigabyte / 4)).isEqualTo(9);
    assertThat(within.examples(gigabyte, 0, 1)).isEqualTo(16);
    assertThat(within.examples(gigabyte, gigabyte / 2, gigabyte / 4)).isEqualTo(7);
    assertThat(within.examples(gigabyte, 9 * gigabyte, gigabyte / 4)).isEqualTo(5);
    assertThatThrownBy(() -> within.examples(gigabyte, 0, 3 * gigabyte))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll("4,096 MB", "4,736 MB", "--memory");
    assertThat(new BatchSize(16, 4 * gigabyte, false).examples(gigabyte, 0, 3 * gigabyte))
        .isEqualTo(1);
    try (Network network = load(TinyModels.gpt2())) {
      Set<Statistic> diagonal = Set.of(Statistic.DIAG);
      BatchSize little = new BatchSize(8, 1L << 20, true);
      FisherOptions options =
          new FisherOptions(diagonal, Labels.EMPIRICAL, 0, little, OptionalDouble.empty());
      assertThatThrownBy(() -> estimate(network, WINDOWS, options))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("too little");
    }
  }

  @Test
  void halvesTheBatchWhenMemoryRunsOut() {
    try (Network network = load(TinyModels.gpt2());
        Network small = SmallMemory.of(network, 3);
        Estimate found =
            FisherEstimator.estimate(
                small,
                TestData.dataset(WINDOWS),
                options(8, Statistic.DIAG),
                Saving.never(Estimates.TARGET),
                Progress.NONE)) {
      assertThat(found.course().batch()).isEqualTo(2);
      assertThat(found.course().examples()).isEqualTo(WINDOWS.size());
      assertThat(found.course().notes())
          .hasSize(2)
          .allMatch(note -> note.contains("from example 0 on: the engine failed with more"));
      Map<String, double[]> expected = estimate(network, WINDOWS, options(2, Statistic.DIAG));
      Estimates.arrays(found)
          .forEach((name, values) -> assertThat(values).isEqualTo(get(expected, name)));
      try (Network none = SmallMemory.of(network, 0)) {
        assertThatThrownBy(() -> estimate(none, WINDOWS, options(4, Statistic.DIAG)))
            .isInstanceOf(DeviceException.class);
      }
    }
  }

  @Test
  void keepsTheMeanGradientOfLabelsInTheDataOnly() {
    assertThatThrownBy(
            () ->
                new FisherOptions(
                    Set.of(Statistic.MEAN_GRADIENT),
                    Labels.SAMPLED,
                    0,
                    BatchSize.exactly(1),
                    OptionalDouble.empty()))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--labels empirical");
  }
}
