package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
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
import dev.smelt.gpu.statistics.Estimates;
import dev.smelt.gpu.statistics.Labels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScriptNetworkTest {

  /** Central differences of step 1e-5 against gradients in f32, relative to the largest entry. */
  private static final double FISHER_TOLERANCE = 1e-4;

  private static final double STEP = 1e-5;

  @TempDir Path temp;
  private Path module = Path.of("");

  @BeforeEach
  void writeModule() {
    module = TinyScript.write(temp.resolve("net.pt"), ScriptRuns.OWN);
  }

  private Network load(List<TestTensor> tensors) {
    return load(TestCheckpoints.file(temp.resolve("given.safetensors"), tensors));
  }

  private Network load(Path path) {
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      return Network.script(checkpoint, module, TestDevice.get());
    }
  }

  @Test
  void runsWithTheTensorsOfTheCheckpoint() {
    try (Network network = load(ScriptRuns.GIVEN)) {
      ScriptRuns.assertLogits(network, ScriptRuns.examples(5), TinyScript.values(ScriptRuns.GIVEN));
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
      ScriptRuns.assertLogits(network, ScriptRuns.examples(2), TinyScript.values(ScriptRuns.OWN));
    }
  }

  /** A gradient switches nothing over: batch normalisation keeps to running statistics. */
  @Test
  void runningStatisticsAreUsedAlsoAfterGradients() {
    List<Example> examples = ScriptRuns.examples(6);
    try (Network network = load(ScriptRuns.GIVEN)) {
      ScriptRuns.assertLogits(network, examples, TinyScript.values(ScriptRuns.GIVEN));
      var _ = Estimates.diagonal(network, examples, Labels.EXPECTED, 2, 0);
      ScriptRuns.assertLogits(network, examples, TinyScript.values(ScriptRuns.GIVEN));
    }
  }

  @Test
  void evaluatesLikePlainJava() {
    List<Example> examples = ScriptRuns.examples(7);
    Map<String, double[]> weights = TinyScript.values(ScriptRuns.GIVEN);
    double loss = 0;
    for (Example example : examples) {
      int label = ((Example.Values) example).label();
      loss -= logProbabilities(weights, example)[label] / examples.size();
    }
    try (Network network = load(ScriptRuns.GIVEN)) {
      Evaluation found = Evaluator.evaluate(network, TestData.dataset(examples), 3, Progress.NONE);
      assertThat(found.loss()).isCloseTo(loss, within(ScriptRuns.TOLERANCE));
    }
  }

  private static double[] logProbabilities(Map<String, double[]> weights, Example example) {
    double[] logits = TinyScript.logits(weights, ScriptRuns.input(example));
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
    List<Example> examples = ScriptRuns.examples(4);
    try (Network network = load(ScriptRuns.GIVEN)) {
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
    Map<String, double[]> weights = TinyScript.values(ScriptRuns.GIVEN);
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
    ScriptRuns.GIVEN.forEach(tensor -> parallel.add(tensor.renamed("module." + tensor.name())));
    parallel.add(TestTensors.f32("extra", Shape.of(1), 1));
    try (Network network = load(parallel)) {
      ScriptRuns.assertLogits(network, ScriptRuns.examples(2), TinyScript.values(ScriptRuns.GIVEN));
      assertThat(network.parameters().get(1).name()).isEqualTo("module.conv.weight");
      assertThat(network.notes()).singleElement().asString().contains("'module.'");
      assertThat(network.unusedTensors()).containsExactly("extra");
      assertThat(Estimates.diagonal(network, ScriptRuns.examples(1), Labels.EMPIRICAL, 1, 0))
          .containsKey("module.fc.bias");
    }
  }

  @Test
  void countersOfBatchesMayBeMissing() {
    List<TestTensor> old =
        ScriptRuns.GIVEN.stream().filter(t -> !t.name().endsWith("num_batches_tracked")).toList();
    try (Network network = load(old)) {
      ScriptRuns.assertLogits(network, ScriptRuns.examples(2), TinyScript.values(ScriptRuns.GIVEN));
      assertThat(network.notes()).singleElement().asString().contains("1 tensors", "batches");
    }
  }

  @Test
  void otherFloatTypesAreConverted() {
    List<TestTensor> halves = new ArrayList<>(ScriptRuns.GIVEN);
    halves.set(9, TestTensors.bf16("fc.bias", Shape.of(3), 0.5f, -1, 2));
    List<TestTensor> same = new ArrayList<>(ScriptRuns.GIVEN);
    same.set(9, TestTensors.f32("fc.bias", Shape.of(3), 0.5f, -1, 2));
    try (Network network = load(halves)) {
      ScriptRuns.assertLogits(network, ScriptRuns.examples(2), TinyScript.values(same));
      assertThat(network.notes()).isEmpty();
    }
    halves.set(9, TestTensors.f64("fc.bias", Shape.of(3), 0.1, 0.2, 0.3));
    try (Network network = load(halves)) {
      assertThat(network.notes()).singleElement().asString().contains("rounded", "fc.bias");
    }
  }

  private void assertRefused(
      List<TestTensor> tensors, Class<? extends SmeltException> type, String... says) {
    assertThatThrownBy(() -> load(tensors).close())
        .isExactlyInstanceOf(type)
        .hasMessageContainingAll(says);
  }

  private static List<TestTensor> with(int index, TestTensor tensor) {
    List<TestTensor> changed = new ArrayList<>(ScriptRuns.GIVEN);
    changed.set(index, tensor);
    return changed;
  }

  @Test
  void tensorsThatDoNotFitAreNamed() {
    assertRefused(
        ScriptRuns.GIVEN.subList(0, 9), NotFoundException.class, "1 of 10", "'fc.bias'", "net.pt");
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
      ScriptRuns.GIVEN.forEach(tensor -> twice.add(tensor.renamed(prefix + tensor.name())));
    }
    assertRefused(twice, UnsupportedException.class, "a., b.");
  }

  @Test
  void whatIsNoModuleIsRefused() {
    module = TestCheckpoints.file(temp.resolve("x.safetensors"), ScriptRuns.GIVEN);
    assertRefused(
        ScriptRuns.GIVEN, UnsupportedException.class, "not a TorchScript file", "x.safetensors");
    module =
        TinyScript.write(
            temp.resolve("broken.pt"), ScriptRuns.OWN, "Tensor", "    return nonsense(y)\n");
    assertRefused(ScriptRuns.GIVEN, UnsupportedException.class, "cannot load", "broken.pt");
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
    module = TinyScript.write(temp.resolve("odd.pt"), ScriptRuns.OWN, type, "    " + end + "\n");
    try (Network network = load(ScriptRuns.GIVEN)) {
      assertThatThrownBy(() -> ScriptRuns.logits(network, Batch.of(0, ScriptRuns.examples(1))))
          .isExactlyInstanceOf(UnsupportedException.class)
          .hasMessageContainingAll("odd.pt", says);
    }
  }

  @Test
  void aTupleOfOneTensorIsThatTensor() {
    String end = TinyScript.LOGITS.replace("return torch.linear(", "z = torch.linear(");
    module =
        TinyScript.write(
            temp.resolve("one.pt"), ScriptRuns.OWN, "Tuple[Tensor]", end + "    return (z,)\n");
    try (Network network = load(ScriptRuns.GIVEN)) {
      ScriptRuns.assertLogits(network, ScriptRuns.examples(2), TinyScript.values(ScriptRuns.GIVEN));
    }
  }

  @Test
  void dataThatDoesNotFitIsRefused() {
    try (Network network = load(ScriptRuns.GIVEN)) {
      Example wrong = new Example.Values(Shape.of(2, 4, 4), (target, at) -> {}, 0);
      assertThatThrownBy(() -> ScriptRuns.logits(network, Batch.of(0, List.of(wrong))))
          .isExactlyInstanceOf(MismatchException.class)
          .hasMessageContainingAll("net.pt", "(1, 2, 4, 4)");
      Example fourth = new Example.Values(TinyScript.INPUT, (target, at) -> {}, 3);
      assertThatThrownBy(() -> ScriptRuns.logits(network, Batch.of(0, List.of(fourth))))
          .isExactlyInstanceOf(MismatchException.class)
          .hasMessageContainingAll("class 3", "3 logits");
      assertThatThrownBy(() -> ScriptRuns.logits(network, Batch.of(0, TestData.labelled(2, 3))))
          .isExactlyInstanceOf(UsageException.class)
          .hasMessageContaining("--batch 1");
    }
  }

  @Test
  void tokensGoInAsTheyAre() {
    String body = "    return torch.unsqueeze(torch.to(x, 6), 2)\n";
    module = TinyScript.writeForward(temp.resolve("tokens.pt"), ScriptRuns.OWN, "Tensor", body);
    try (Network network = load(ScriptRuns.GIVEN)) {
      Example window = new Example.Window(new int[] {7, 2, 5}, new int[] {0, 0, 0});
      assertThat(ScriptRuns.logits(network, Batch.of(0, List.of(window, window))))
          .containsExactly(7, 2, 5, 7, 2, 5);
    }
  }
}
