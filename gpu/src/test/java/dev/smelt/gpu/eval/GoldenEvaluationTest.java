package dev.smelt.gpu.eval;

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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** The repository's models on its texts, against numbers from PyTorch. */
class GoldenEvaluationTest {

  private static final double LOSS_TOLERANCE = 2e-6;

  private static Evaluation evaluate(String model, String text, DataOptions options, int batch) {
    try (Checkpoint checkpoint = Checkpoint.open(TestData.path(model));
        Network network = Network.load(checkpoint, TestDevice.get());
        Tokenizer tokenizer = Tokenizers.forCheckpoint(checkpoint)) {
      Dataset data =
          Dataset.read(TestData.path("text/" + text), tokenizer, network.input(), options);
      return Evaluator.evaluate(network, data, batch, Progress.NONE);
    }
  }

  private static void assertGolden(Evaluation found, String model, String text) throws IOException {
    Path file = TestData.path("golden/eval.json");
    JsonNode golden = Json.parse(Files.readAllBytes(file), file.toString()).get(model).get(text);
    assertThat(found.loss()).isCloseTo(golden.get("loss").doubleValue(), within(LOSS_TOLERANCE));
    assertThat(found.accuracy()).isCloseTo(golden.get("accuracy").doubleValue(), within(1e-9));
    assertThat(found.examples()).isEqualTo(golden.get("examples").longValue());
    assertThat(found.tokens()).isEqualTo(golden.get("tokens").longValue());
    assertThat(found.seconds()).isPositive();
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2-drama,drama",
    "gpt2-drama,scripture",
    "gpt2-scripture,drama",
    "gpt2-scripture,scripture",
    "llama-drama,drama",
    "llama-drama,scripture"
  })
  void agreesOnLanguageModels(String model, String domain) throws IOException {
    String text = domain + ".val.txt";
    DataOptions options = DataOptions.ALL.withSeqLen(256).withSamples(40);
    Evaluation found = evaluate(model, text, options, 8);
    assertGolden(found, model, text);
    assertThat(found.perplexity().orElseThrow()).isCloseTo(Math.exp(found.loss()), within(1e-12));
  }

  @Test
  void agreesOnTheClassifier() throws IOException {
    for (int batch : new int[] {1, 32}) {
      Evaluation found = evaluate("bert-base", "reviews.dev.tsv", DataOptions.ALL, batch);
      assertGolden(found, "bert-base.whole-words", "reviews.dev.tsv");
      assertThat(found.perplexity()).isEmpty();
    }
  }
}
