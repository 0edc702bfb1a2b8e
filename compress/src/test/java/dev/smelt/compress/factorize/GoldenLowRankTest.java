package dev.smelt.compress.factorize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.metric.FisherMetric;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.metric.Side;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Json;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.Estimate;
import dev.smelt.gpu.statistics.FisherEstimator;
import dev.smelt.gpu.statistics.FisherOptions;
import dev.smelt.gpu.statistics.Labels;
import dev.smelt.gpu.statistics.Provenance;
import dev.smelt.gpu.statistics.Saving;
import dev.smelt.gpu.statistics.Statistics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The repository's gpt2-drama at half of its matrices, against NumPy's SVD in f64. */
class GoldenLowRankTest {

  private static final double TOLERANCE = 1e-3;
  private static final Path TESTDATA = Path.of(System.getProperty("smelt.testdata"));
  private static final Path MODEL = TESTDATA.resolve("gpt2-drama");
  private static final int MATRICES = 16;

  @TempDir private Path folder;

  private static JsonNode golden() throws IOException {
    Path file = TESTDATA.resolve("golden/lowrank.json");
    return Json.parse(Files.readAllBytes(file), file.toString()).path("factorize");
  }

  @Test
  void plainErrorsAgree() throws IOException {
    Factorization done = factorize(new PlainMetric());
    JsonNode golden = golden();
    assertThat(golden.size()).isEqualTo(MATRICES);
    for (Map.Entry<String, JsonNode> entry : golden.properties()) {
      TensorRecord record = done.record(entry.getKey());
      double expected = entry.getValue().path("plain_relative_error").doubleValue();
      assertThat(record.rank()).isEqualTo(entry.getValue().path("rank").intValue());
      assertThat(record.relativeError())
          .as(entry.getKey())
          .isCloseTo(expected, within(TOLERANCE * expected));
    }
  }

  @Test
  void fisherWeightedErrorsAgree() throws IOException {
    Path file = folder.resolve("statistics.safetensors");
    estimate(file);
    JsonNode golden = golden();
    assertThat(golden.size()).isEqualTo(MATRICES);
    try (Statistics statistics = Statistics.open(file)) {
      Factorization done = factorize(new FisherMetric(statistics, Side.INPUT));
      for (Map.Entry<String, JsonNode> entry : golden.properties()) {
        double expected = entry.getValue().path("fisher_relative_error").doubleValue();
        assertThat(done.record(entry.getKey()).weightedRelativeError())
            .as(entry.getKey())
            .isCloseTo(expected, within(TOLERANCE * expected));
      }
    }
  }

  private Factorization factorize(Metric metric) {
    Factorization.Setup options = Factorization.with(metric, new UniformKeep(0.5));
    return options.as(DType.F32).run(MODEL, folder.resolve("out"));
  }

  private static void estimate(Path file) {
    try (Checkpoint checkpoint = Checkpoint.open(MODEL);
        Network network = Network.load(checkpoint, TestDevice.get());
        Tokenizer tokenizer = Tokenizers.forCheckpoint(checkpoint)) {
      Dataset windows =
          Dataset.read(
              TESTDATA.resolve("text/drama.train.txt"),
              tokenizer,
              network.input(),
              DataOptions.ALL.withSeqLen(128).withSamples(16));
      FisherOptions how = FisherOptions.diagonal(Labels.EMPIRICAL, 8, 0);
      Provenance unknown =
          new Provenance(
              Optional.empty(),
              Optional.empty(),
              OptionalLong.empty(),
              OptionalLong.empty(),
              OptionalInt.empty(),
              OptionalLong.empty(),
              Optional.empty(),
              Optional.empty(),
              OptionalLong.empty(),
              Optional.empty(),
              Optional.empty(),
              Optional.empty());
      try (Estimate estimate =
          FisherEstimator.estimate(network, windows, how, Saving.never(file), Progress.NONE)) {
        Statistics.write(OutputOptions.to(file), estimate, unknown);
      }
    }
  }
}
