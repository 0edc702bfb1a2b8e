package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Json;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.network.Network;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/**
 * The repository's models, against PyTorch with one backward pass per example. The golden file
 * holds each tensor's norm, its sum and some of its values.
 */
class GoldenFisherTest {

  /** Of norms and sums, relative; f32 in both. */
  private static final double TOLERANCE = 2e-5;

  /** Of single values, relative to the tensor's norm. */
  private static final double VALUE_TOLERANCE = 5e-5;

  /** Smaller norms are rounding where the gradient is 0: biases of keys. */
  private static final double NEGLIGIBLE = 1e-12;

  private static JsonNode golden(String name) throws IOException {
    Path file = TestData.path("golden/fisher.json");
    return Json.parse(Files.readAllBytes(file), file.toString()).get(name);
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2-drama.empirical,1",
    "gpt2-drama.empirical,8",
    "llama-drama.empirical,8",
    "bert-base.empirical,8",
    "bert-base.expected,1",
    "bert-base.expected,8"
  })
  void agrees(String name, int batch) throws IOException {
    JsonNode golden = golden(name);
    int examples = golden.get("examples").intValue();
    DataOptions options = DataOptions.ALL.withSamples(examples);
    if (golden.has("window")) {
      options = options.withSeqLen(golden.get("window").intValue());
    }
    Labels labels = Labels.parse(golden.get("labels").asString());
    Path model = TestData.path(golden.get("model").asString());
    Path text = TestData.path("text/" + golden.get("data").asString());
    try (Checkpoint checkpoint = Checkpoint.open(model);
        Network network = Network.load(checkpoint, TestDevice.get());
        Tokenizer tokenizer = Tokenizers.forCheckpoint(checkpoint);
        Estimate estimate =
            FisherEstimator.estimate(
                network,
                Dataset.read(text, tokenizer, network.input(), options),
                FisherOptions.diagonal(labels, batch, 0),
                Saving.never(Estimates.TARGET),
                Progress.NONE)) {
      assertThat(estimate.course().examples()).isEqualTo(examples);
      assertThat(estimate.course().tokens()).isEqualTo(golden.get("tokens").longValue());
      assertThat(estimate.tensors().stream().map(info -> info.name().substring("diag/".length())))
          .containsExactlyInAnyOrderElementsOf(golden.get("tensors").propertyNames());
      Estimates.arrays(estimate)
          .forEach(
              (tensor, values) ->
                  assertAgrees(tensor.substring("diag/".length()), values, golden.get("tensors")));
    }
  }

  private static void assertAgrees(String name, double[] values, JsonNode tensors) {
    JsonNode golden = tensors.get(name);
    double norm = golden.get("norm").doubleValue();
    double sum = 0;
    double squares = 0;
    for (double value : values) {
      sum += value;
      squares += value * value;
    }
    if (norm < NEGLIGIBLE) {
      assertThat(Math.sqrt(squares)).as(name).isLessThan(NEGLIGIBLE);
      return;
    }
    assertThat(Math.sqrt(squares)).as(name).isCloseTo(norm, within(TOLERANCE * norm));
    double goldenSum = golden.get("sum").doubleValue();
    assertThat(sum).as(name).isCloseTo(goldenSum, within(TOLERANCE * goldenSum));
    for (int i = 0; i < golden.get("indices").size(); i++) {
      int index = golden.get("indices").get(i).intValue();
      double value = golden.get("values").get(i).doubleValue();
      assertThat(values[index])
          .as(name + " " + index)
          .isCloseTo(value, within(VALUE_TOLERANCE * norm));
    }
  }
}
