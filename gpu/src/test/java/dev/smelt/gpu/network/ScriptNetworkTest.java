package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.eval.Evaluation;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.statistics.Estimates;
import dev.smelt.gpu.statistics.Labels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScriptNetworkTest {

  /** f32 of the engine against f64, on logits of the size of 1. */
  private static final double TOLERANCE = 1e-5;

  /** Central differences of step 1e-5 against gradients in f32, relative to the largest entry. */
  private static final double FISHER_TOLERANCE = 1e-4;

  private static final double STEP = 1e-5;

  /** What the module was saved with; the checkpoint differs in every tensor. */
  private static final List<TestTensor> OWN = TinyScript.tensors(1);

  private static final List<TestTensor> GIVEN = TinyScript.tensors(2);

  @TempDir Path temp;
  private Path module = Path.of("");

  @BeforeEach
  void writeModule() {
    module = TinyScript.write(temp.resolve("net.pt"), OWN);
  }

  private static List<Example> examples(int count) {
    SplittableRandom random = new SplittableRandom(5);
    List<Example> examples = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      float[] values = new float[(int) TinyScript.INPUT.elements()];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian(0.3, 1);
      }
      examples.add(
          new Example.Values(
              TinyScript.INPUT,
              (target, at) -> System.arraycopy(values, 0, target, at, values.length),
              n % TinyScript.CLASSES));
    }
    return examples;
  }

  private static float[] input(Example example) {
    return Batch.of(0, List.of(example)).values().elements();
  }

  private Network load(List<TestTensor> tensors) {
    return load(TestCheckpoints.file(temp.resolve("given.safetensors"), tensors));
  }

  private Network load(Path path) {
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      return Network.script(checkpoint, module, TestDevice.get());
    }
  }

  private static float[] logits(Network network, Batch batch) {
    float[][] found = new float[1][];
    network
        .device()
        .step(
            "test",
            (NDManager manager) ->
                found[0] = network.model().logits(manager, batch, Tape.off()).toFloatArray());
    return found[0];
  }

  private static void assertLogits(
      Network network, List<Example> examples, Map<String, double[]> weights) {
    float[] found = logits(network, Batch.of(0, examples));
    for (int n = 0; n < examples.size(); n++) {
      double[] expected = TinyScript.logits(weights, input(examples.get(n)));
      for (int k = 0; k < TinyScript.CLASSES; k++) {
        assertThat((double) found[n * TinyScript.CLASSES + k])
            .as("example %d, class %d", n, k)
            .isCloseTo(expected[k], within(TOLERANCE));
      }
    }
  }

  @Test
  void runsWithTheTensorsOfTheCheckpoint() {
    try (Network network = load(GIVEN)) {
      assertLogits(network, examples(5), TinyScript.values(GIVEN));
      assertThat(network.parameters().stream().map(TensorInfo::name))
          .containsExactly(
              "unused", "conv.weight", "conv.bias", "bn.weight", "bn.bias", "fc.weight", "fc.bias");
      assertThat(network.input()).isEqualTo(new InputSpec.Open());
      assertThat(network.notes()).isEmpty();
      assertThat(network.unusedTensors()).isEmpty();
      assertThat(network.model().singleExamples()).isPresent();
    }
  }

  @Test
  void theModuleIsACheckpointItself() {
    try (Network network = load(module)) {
      assertLogits(network, examples(2), TinyScript.values(OWN));
    }
  }

  /** A gradient switches nothing over: batch normalisation keeps to running statistics. */
  @Test
  void runningStatisticsAreUsedAlsoAfterGradients() {
    List<Example> examples = examples(6);
    try (Network network = load(GIVEN)) {
      assertLogits(network, examples, TinyScript.values(GIVEN));
      var _ = Estimates.diagonal(network, examples, Labels.EXPECTED, 2, 0);
      assertLogits(network, examples, TinyScript.values(GIVEN));
    }
  }

  @Test
  void evaluatesLikePlainJava() {
    List<Example> examples = examples(7);
    Map<String, double[]> weights = TinyScript.values(GIVEN);
    double loss = 0;
    for (Example example : examples) {
      int label = ((Example.Values) example).label();
      loss -= logProbabilities(weights, example)[label] / examples.size();
    }
    try (Network network = load(GIVEN)) {
      Evaluation found = Evaluator.evaluate(network, TestData.dataset(examples), 3, Progress.NONE);
      assertThat(found.loss()).isCloseTo(loss, within(TOLERANCE));
    }
  }

  private static double[] logProbabilities(Map<String, double[]> weights, Example example) {
    double[] logits = TinyScript.logits(weights, input(example));
    double sum = 0;
    for (double logit : logits) {
      sum += Math.exp(logit);
    }
    for (int k = 0; k < logits.length; k++) {
      logits[k] -= Math.log(sum);
    }
    return logits;
  }

  @Test
  void fisherAgreesWithDifferences() {
    List<Example> examples = examples(4);
    try (Network network = load(GIVEN)) {
      for (Labels labels : List.of(Labels.EMPIRICAL, Labels.EXPECTED)) {
        Map<String, double[]> found = Estimates.diagonal(network, examples, labels, 3, 0);
        Map<String, double[]> expected = differences(examples, labels, found.keySet());
        assertThat(found.keySet()).hasSize(7);
        found.forEach(
            (name, values) -> {
              double[] wanted = expected.getOrDefault(name, new double[0]);
              double largest = 0;
              for (double value : wanted) {
                largest = Math.max(largest, value);
              }
              assertThat(values)
                  .as("%s, %s", name, labels)
                  .containsExactly(wanted, within(FISHER_TOLERANCE * largest));
              assertThat(largest > 0).as(name).isEqualTo(!name.equals("unused"));
            });
      }
    }
  }

  /** (1/N) Σₙ Σ_c weight_c (∂ log p_c / ∂θ)², by central differences of each element. */
  private static Map<String, double[]> differences(
      List<Example> examples, Labels labels, Iterable<String> names) {
    Map<String, double[]> weights = TinyScript.values(GIVEN);
    Map<String, double[]> fisher = new LinkedHashMap<>();
    for (String name : names) {
      double[] values = weights.getOrDefault(name, new double[0]);
      double[] squares = new double[values.length];
      for (int i = 0; i < values.length; i++) {
        for (Example example : examples) {
          double kept = values[i];
          double[] here = logProbabilities(weights, example);
          values[i] = kept + STEP;
          double[] above = logProbabilities(weights, example);
          values[i] = kept - STEP;
          double[] below = logProbabilities(weights, example);
          values[i] = kept;
          for (int c = 0; c < here.length; c++) {
            double slope = (above[c] - below[c]) / (2 * STEP);
            boolean isLabel = c == ((Example.Values) example).label();
            double share = labels == Labels.EXPECTED ? Math.exp(here[c]) : (isLabel ? 1.0 : 0.0);
            squares[i] += share * slope * slope / examples.size();
          }
        }
      }
      fisher.put(name, squares);
    }
    return fisher;
  }

  @Test
  void aPrefixIsLookedThrough() {
    List<TestTensor> parallel = new ArrayList<>();
    GIVEN.forEach(tensor -> parallel.add(tensor.renamed("module." + tensor.name())));
    parallel.add(TestTensors.f32("extra", Shape.of(1), 1));
    try (Network network = load(parallel)) {
      assertLogits(network, examples(2), TinyScript.values(GIVEN));
      assertThat(network.parameters().get(1).name()).isEqualTo("module.conv.weight");
      assertThat(network.notes()).singleElement().asString().contains("'module.'");
      assertThat(network.unusedTensors()).containsExactly("extra");
      assertThat(Estimates.diagonal(network, examples(1), Labels.EMPIRICAL, 1, 0))
          .containsKey("module.fc.bias");
    }
  }

  @Test
  void countersOfBatchesMayBeMissing() {
    List<TestTensor> old =
        GIVEN.stream().filter(t -> !t.name().endsWith("num_batches_tracked")).toList();
    try (Network network = load(old)) {
      assertLogits(network, examples(2), TinyScript.values(GIVEN));
      assertThat(network.notes()).singleElement().asString().contains("1 tensors", "batches");
    }
  }

  @Test
  void otherFloatTypesAreConverted() {
    List<TestTensor> halves = new ArrayList<>(GIVEN);
    halves.set(9, TestTensors.bf16("fc.bias", Shape.of(3), 0.5f, -1, 2));
    List<TestTensor> same = new ArrayList<>(GIVEN);
    same.set(9, TestTensors.f32("fc.bias", Shape.of(3), 0.5f, -1, 2));
    try (Network network = load(halves)) {
      assertLogits(network, examples(2), TinyScript.values(same));
      assertThat(network.notes()).isEmpty();
    }
    halves.set(9, TestTensors.f64("fc.bias", Shape.of(3), 0.1, 0.2, 0.3));
    try (Network network = load(halves)) {
      assertThat(network.notes()).singleElement().asString().contains("rounded", "fc.bias");
    }
  }

  /** conv.weight as a convolution to one channel and a point, fc.weight in two parts. */
  private static List<TestTensor> compressed() {
    List<TestTensor> tensors = new ArrayList<>();
    for (TestTensor tensor : GIVEN) {
      switch (tensor.name()) {
        case "conv.weight" -> {
          tensors.add(TestTensors.f32("conv.ALinear.weight", Shape.of(2, 1, 1, 1), 0.5f, -2));
          tensors.add(
              TestTensors.f32(
                  "conv.BLinear.weight", Shape.of(1, 1, 3, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9));
        }
        case "conv.bias" -> tensors.add(tensor.renamed("conv.ALinear.bias"));
        case "fc.weight" -> {
          tensors.add(TestTensors.f32("fc.a.ALinear.weight", Shape.of(2, 1), 0.25f, -0.5f));
          tensors.add(
              TestTensors.f32("fc.a.BLinear.weight", Shape.of(1, 8), 1, -1, 2, -2, 3, -3, 4, -4));
          tensors.add(
              TestTensors.f32(
                  "fc.b.weight", Shape.of(1, 8), .1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f));
        }
        default -> tensors.add(tensor);
      }
    }
    return tensors;
  }

  private static final String COMPRESSED =
      """
      {"conv": {"rank": 1},
       "fc": {"parts": [{"name": "a", "rows": [0, 1, 2, 2], "rank": 1},
                        {"name": "b", "rows": [1, 1, 1, 1]}]}}
      """;

  @Test
  void factorsAndPartsAreMultipliedOut() {
    assertMultipliedOut(compressed(), COMPRESSED, 0);
  }

  @Test
  void basesAreMultipliedOut() {
    List<TestTensor> tensors = new ArrayList<>(compressed());
    tensors.replaceAll(
        tensor ->
            tensor.name().equals("conv.ALinear.weight") ? tensor.renamed("smelt.basis.2") : tensor);
    String entry = "{\"rank\": 1, \"A\": \"smelt.basis.2\"}";
    assertMultipliedOut(tensors, COMPRESSED.replace("{\"rank\": 1},", entry + ","), 0);
  }

  @Test
  void changesAreAddedToWhatTheyChange() {
    List<TestTensor> tensors = new ArrayList<>(compressed());
    tensors.replaceAll(
        tensor -> tensor.name().equals("conv.ALinear.bias") ? tensor.renamed("conv.bias") : tensor);
    float[] base = new float[18];
    Arrays.fill(base, 3);
    tensors.add(TestTensors.f32("conv.weight", Shape.of(2, 1, 3, 3), base));
    String entry = "{\"rank\": 1, \"delta\": true}";
    assertMultipliedOut(tensors, COMPRESSED.replace("{\"rank\": 1},", entry + ","), 3);
  }

  /** The kernels' factors as integers with scales of their outputs. */
  @Test
  void integersAreMultipliedByTheirScales() {
    List<TestTensor> tensors = new ArrayList<>(compressed());
    tensors.replaceAll(
        tensor ->
            switch (tensor.name()) {
              case "conv.ALinear.weight" -> i8(tensor, 4, -2);
              case "conv.BLinear.weight" -> i8(tensor, 2, 4, 6, 8, 10, 12, 14, 16, 18);
              default -> tensor;
            });
    tensors.add(TestTensors.f32("conv.ALinear.weight_scale", Shape.of(2, 1), 0.125f, 1));
    tensors.add(TestTensors.f32("conv.BLinear.weight_scale", Shape.of(1, 1), 0.5f));
    assertMultipliedOut(tensors, COMPRESSED, 0);
  }

  private static TestTensor i8(TestTensor like, int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return new TestTensor(like.name(), DType.I8, like.shape(), bytes);
  }

  /**
   * @param base what every element of the kernels' product is added to
   */
  private void assertMultipliedOut(List<TestTensor> tensors, String list, double base) {
    Map<String, double[]> weights = TinyScript.values(GIVEN);
    double[] conv = new double[18];
    for (int i = 0; i < 9; i++) {
      conv[i] = base + 0.5 * (i + 1);
      conv[9 + i] = base - 2.0 * (i + 1);
    }
    weights.put("conv.weight", conv);
    double[] b = {1, -1, 2, -2, 3, -3, 4, -4};
    double[] fc = new double[24];
    for (int j = 0; j < 8; j++) {
      fc[j] = 0.25 * b[j];
      fc[8 + j] = (float) ((j + 1) / 10.0);
      fc[16 + j] = -0.5 * b[j];
    }
    weights.put("fc.weight", fc);
    byte[] file = TestCheckpoints.safetensors(tensors, Map.of("low_rank_modules", list.strip()));
    Path path = TestCheckpoints.write(temp.resolve("small.safetensors"), file);
    try (Network network = load(path)) {
      assertLogits(network, examples(3), weights);
      assertThat(network.unusedTensors()).isEmpty();
      assertThat(network.notes())
          .singleElement()
          .asString()
          .contains("2 tensors are products", "conv.weight");
      assertThat(network.parameters().stream().map(TensorInfo::name))
          .contains("conv.weight", "conv.bias", "fc.weight");
    }
  }

  @Test
  void factorsThatDoNotFitTheModuleAreNamed() {
    String list = COMPRESSED.strip().replace("[1, 1, 1, 1]", "[1, 1, 2, 2]");
    List<TestTensor> wide = new ArrayList<>(compressed());
    wide.replaceAll(
        tensor ->
            tensor.name().equals("fc.b.weight")
                ? TestTensors.random("fc.b.weight", DType.F32, 3, 2, 8)
                : tensor);
    byte[] file = TestCheckpoints.safetensors(wide, Map.of("low_rank_modules", list));
    Path path = TestCheckpoints.write(temp.resolve("wide.safetensors"), file);
    assertThatThrownBy(() -> load(path).close())
        .isExactlyInstanceOf(MismatchException.class)
        .hasMessageContainingAll("fc.weight", "[4,8]", "[3,8]");
    List<TestTensor> twice = new ArrayList<>(compressed());
    twice.add(TestTensors.random("fc.weight", DType.F32, 3, 3, 8));
    byte[] both =
        TestCheckpoints.safetensors(twice, Map.of("low_rank_modules", COMPRESSED.strip()));
    Path other = TestCheckpoints.write(temp.resolve("twice.safetensors"), both);
    assertThatThrownBy(() -> load(other).close())
        .isExactlyInstanceOf(CorruptException.class)
        .hasMessageContaining("fc.weight");
  }

  private void assertRefused(
      List<TestTensor> tensors, Class<? extends SmeltException> type, String... says) {
    assertThatThrownBy(() -> load(tensors).close())
        .isExactlyInstanceOf(type)
        .hasMessageContainingAll(says);
  }

  private static List<TestTensor> with(int index, TestTensor tensor) {
    List<TestTensor> changed = new ArrayList<>(GIVEN);
    changed.set(index, tensor);
    return changed;
  }

  @Test
  void tensorsThatDoNotFitAreNamed() {
    assertRefused(GIVEN.subList(0, 9), NotFoundException.class, "1 of 10", "'fc.bias'", "net.pt");
    assertRefused(
        with(9, TestTensors.f32("fc.bias", Shape.of(4), 1, 2, 3, 4)),
        MismatchException.class,
        "fc.bias",
        "[4]",
        "[3]");
    assertRefused(
        with(9, TestTensors.random("fc.bias", DType.I32, 1, 3)),
        MismatchException.class,
        "fc.bias",
        "F32",
        "I32");
    assertRefused(
        with(9, TestTensors.f64("fc.bias", Shape.of(3), 1, 1e300, 1)),
        MismatchException.class,
        "fc.bias",
        "element 1");
    assertRefused(
        with(9, TestTensors.f32("fc.bias", Shape.of(3), 1, Float.NaN, 1)),
        NonFiniteException.class,
        "fc.bias",
        "element 1");
    List<TestTensor> twice = new ArrayList<>();
    for (String prefix : List.of("a.", "b.")) {
      GIVEN.forEach(tensor -> twice.add(tensor.renamed(prefix + tensor.name())));
    }
    assertRefused(twice, UnsupportedException.class, "a., b.");
  }

  @Test
  void whatIsNoModuleIsRefused() {
    module = TestCheckpoints.file(temp.resolve("x.safetensors"), GIVEN);
    assertRefused(GIVEN, UnsupportedException.class, "not a TorchScript file", "x.safetensors");
    module = TinyScript.write(temp.resolve("broken.pt"), OWN, "Tensor", "    return nonsense(y)\n");
    assertRefused(GIVEN, UnsupportedException.class, "cannot load", "broken.pt");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "Tuple[Tensor, Tensor] | return (y, y) | 2 tensors",
        "Dict[str, Tensor] | return {\"y\": y} | a dict",
        "Tensor | return y | [1, classes]",
        "int | return 3 | no tensors",
        "Tensor | return torch.sum(y) | found float32 ()"
      })
  void otherOutputsAreRefused(String type, String end, String says) {
    module = TinyScript.write(temp.resolve("odd.pt"), OWN, type, "    " + end + "\n");
    try (Network network = load(GIVEN)) {
      assertThatThrownBy(() -> logits(network, Batch.of(0, examples(1))))
          .isExactlyInstanceOf(UnsupportedException.class)
          .hasMessageContainingAll("odd.pt", says);
    }
  }

  @Test
  void aTupleOfOneTensorIsThatTensor() {
    String end = TinyScript.LOGITS.replace("return torch.linear(", "z = torch.linear(");
    module =
        TinyScript.write(temp.resolve("one.pt"), OWN, "Tuple[Tensor]", end + "    return (z,)\n");
    try (Network network = load(GIVEN)) {
      assertLogits(network, examples(2), TinyScript.values(GIVEN));
    }
  }

  @Test
  void dataThatDoesNotFitIsRefused() {
    try (Network network = load(GIVEN)) {
      Example wrong = new Example.Values(Shape.of(2, 4, 4), (target, at) -> {}, 0);
      assertThatThrownBy(() -> logits(network, Batch.of(0, List.of(wrong))))
          .isExactlyInstanceOf(MismatchException.class)
          .hasMessageContainingAll("net.pt", "(1, 2, 4, 4)");
      Example fourth = new Example.Values(TinyScript.INPUT, (target, at) -> {}, 3);
      assertThatThrownBy(() -> logits(network, Batch.of(0, List.of(fourth))))
          .isExactlyInstanceOf(MismatchException.class)
          .hasMessageContainingAll("class 3", "3 logits");
      assertThatThrownBy(() -> logits(network, Batch.of(0, TestData.labelled(2, 3))))
          .isExactlyInstanceOf(UsageException.class)
          .hasMessageContaining("--batch 1");
    }
  }

  @Test
  void tokensGoInAsTheyAre() {
    String body = "    return torch.unsqueeze(torch.to(x, 6), 2)\n";
    module = TinyScript.writeForward(temp.resolve("tokens.pt"), OWN, "Tensor", body);
    try (Network network = load(GIVEN)) {
      Example window = new Example.Window(new int[] {7, 2, 5}, new int[] {0, 0, 0});
      assertThat(logits(network, Batch.of(0, List.of(window, window))))
          .containsExactly(7, 2, 5, 7, 2, 5);
    }
  }
}
