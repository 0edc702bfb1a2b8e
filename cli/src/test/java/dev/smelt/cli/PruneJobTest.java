package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Pruning, from the command line. */
class PruneJobTest {

  private static final Path MODEL = TESTDATA.resolve("gpt2-drama");
  private static final Path LLAMA = TESTDATA.resolve("llama-drama");
  private static final Path DRAMA = TESTDATA.resolve("text/drama.val.txt");
  private static final Path TRAIN = TESTDATA.resolve("text/drama.train.txt");

  @TempDir private static Path folder = Path.of("");

  private static Path statistics = Path.of("");

  private final Path out = folder.resolve("out");

  @BeforeAll
  static void computeStatistics() {
    statistics = folder.resolve("F.safetensors");
    smelt(
            "fisher",
            MODEL,
            "--data",
            TRAIN,
            "--seq-len",
            64,
            "--samples",
            24,
            "--stats",
            "diag,input-gram,contribution,entropy",
            "-o",
            statistics)
        .done();
  }

  private Run prune(Path model, Object... options) {
    List<Object> words = new ArrayList<>(List.of("prune", model, "-o", out, "--overwrite"));
    words.addAll(List.of(options));
    return smelt(words.toArray());
  }

  private static long zeros(Path written) {
    long zeros = 0;
    try (Checkpoint checkpoint = Checkpoint.open(written)) {
      for (TensorView view : checkpoint.tensors()) {
        if (view.name().matches(".*\\.(attn|mlp)\\.c_\\w+\\.weight")) {
          for (double value : view.toDoubles()) {
            zeros += value == 0 ? 1 : 0;
          }
        }
      }
    }
    return zeros;
  }

  private static long weights() {
    try (Checkpoint checkpoint = Checkpoint.open(MODEL)) {
      return checkpoint.infos().stream()
          .filter(info -> info.name().matches(".*\\.(attn|mlp)\\.c_\\w+\\.weight"))
          .mapToLong(info -> info.elements())
          .sum();
    }
  }

  private static double loss(JsonNode manifest, String stage) {
    for (JsonNode one : manifest.path("measured")) {
      if (one.path("stage").asString().equals(stage)) {
        return one.path("loss").doubleValue();
      }
    }
    throw new AssertionError(stage + " was not measured: " + manifest);
  }

  private void assertVerified(Object... more) {
    List<Object> words = new ArrayList<>(List.of("verify", out, "--against", MODEL));
    words.addAll(List.of(more));
    smelt(words.toArray()).done();
  }

  @ParameterizedTest
  @CsvSource({"fisher, true", "wanda, true", "contribution, false", "obs, true", "sparsegpt, true"})
  void everyCriterionTakesHalf(String criterion, boolean losesLessThanMagnitude) {
    Object[] measured = {
      "--sparsity",
      0.5,
      "--scope",
      "row",
      "--data",
      DRAMA,
      "--seq-len",
      64,
      "--samples",
      24,
      "--json"
    };
    double magnitude = loss(prune(MODEL, measured).json(), "pruned");
    List<Object> options = new ArrayList<>(List.of(measured));
    options.addAll(List.of("--criterion", criterion, "--stats", statistics));
    JsonNode manifest = prune(MODEL, options.toArray()).json();
    assertThat(zeros(out)).isEqualTo(weights() / 2);
    double loss = loss(manifest, "pruned");
    // Parts of outputs do not add up where signs differ, and here do worse than magnitudes.
    assertThat(loss < magnitude).isEqualTo(losesLessThanMagnitude);
    assertThat(loss(manifest, "dense")).isLessThan(loss);
    assertVerified("--stats", statistics);
  }

  @Test
  void exactlyTheShareOfAllTensorsGoes() {
    JsonNode manifest = prune(MODEL, "--sparsity", 0.37, "--json").json();
    assertThat(manifest.path("command").asString()).isEqualTo("prune");
    assertThat(manifest.path("parameters").path("scope").asString()).isEqualTo("global");
    long recorded = 0;
    for (JsonNode record : manifest.path("tensors")) {
      recorded += record.path("sparsity").path("zeros").asLong(0);
    }
    assertThat(zeros(out)).isEqualTo(recorded);
    // The model itself has no zeros in its matrices, so these are all that were made.
    assertThat(recorded).isEqualTo((long) (0.37 * weights()));
    assertVerified();
  }

  @Test
  void weightsThatWereChangedAfterwardsAreFound() throws Exception {
    prune(MODEL, "--pattern", "2:4").done();
    Path dense = folder.resolve("dense");
    smelt("prune", MODEL, "-o", dense, "--sparsity", 0.1, "--overwrite").done();
    // The certificate of one output beside the weights of another.
    Path manifest = out.resolve("smelt.json");
    String text = Files.readString(manifest);
    String other = Files.readString(dense.resolve("smelt.json"));
    String files = other.substring(other.indexOf("\"files\""));
    Files.copy(
        dense.resolve("model.safetensors"),
        out.resolve("model.safetensors"),
        StandardCopyOption.REPLACE_EXISTING);
    Files.writeString(manifest, text.substring(0, text.indexOf("\"files\"")) + files);
    Run found = smelt("verify", out, "--against", MODEL);
    assertThat(found.code()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(found.out())
        .contains(
            "zeros transformer.h.0.attn.c_attn.weight: expected 55296",
            "relative error transformer.h.3.mlp.c_proj.weight",
            "pattern transformer.h.0.mlp.c_fc.weight: expected at most 2:4");
  }

  @Test
  void packedItIsSmallerAndTheSame() {
    prune(MODEL, "--sparsity", 0.8).done();
    Path plain = folder.resolve("plain");
    smelt("prune", MODEL, "-o", plain, "--sparsity", 0.8, "--overwrite").done();
    JsonNode manifest = prune(MODEL, "--sparsity", 0.8, "--pack", "--json").json();
    JsonNode totals = manifest.path("totals");
    assertThat(totals.path("packedBytes").longValue())
        .isLessThan(totals.path("bytesAfter").longValue() / 2);
    assertVerified();
    try (Checkpoint packed = Checkpoint.open(out);
        Checkpoint expected = Checkpoint.open(plain)) {
      for (TensorView view : expected.tensors()) {
        assertThat(packed.tensor(view.name()).sameBits(view)).as(view.name()).isTrue();
      }
    }
  }

  @Test
  void theLargestSparsityWithinTheLossIsFound() {
    JsonNode manifest =
        prune(
                MODEL,
                "--max-loss-increase",
                0.05,
                "--criterion",
                "fisher",
                "--stats",
                statistics,
                "--data",
                DRAMA,
                "--seq-len",
                64,
                "--samples",
                16,
                "--json")
            .json();
    double increase = loss(manifest, "pruned") - loss(manifest, "dense");
    assertThat(increase).isBetween(0.0, 0.05);
    assertThat(manifest.path("notes").toString()).contains("tried --sparsity 0.5");
    assertThat((double) zeros(out) / weights()).isGreaterThan(0.3);
  }

  @Test
  void inStepsAndTunedItLosesLess() {
    Object[] options = {
      "--sparsity",
      0.7,
      "--criterion",
      "fisher",
      "--schedule",
      "cubic",
      "--steps",
      3,
      "--train",
      TRAIN,
      "--train-samples",
      16,
      "--tune",
      12,
      "--lr",
      3e-4,
      "--data",
      DRAMA,
      "--seq-len",
      64,
      "--samples",
      16,
      "--json"
    };
    JsonNode manifest = prune(MODEL, options).json();
    assertThat(loss(manifest, "tuned")).isLessThan(loss(manifest, "pruned"));
    long expected = (long) (0.7 * weights());
    assertThat(zeros(out)).isEqualTo(expected);
    assertThat(manifest.path("parameters").path("steps").intValue()).isEqualTo(3);
    assertVerified();
  }

  @ParameterizedTest
  @CsvSource({"neurons, obs", "neurons, wanda", "heads, fisher", "blocks, block-entropy"})
  void partsThatAreLeftOutMakeAnOrdinarySmallerModel(String pattern, String criterion) {
    JsonNode manifest =
        prune(
                MODEL,
                "--pattern",
                pattern,
                "--sparsity",
                0.25,
                "--criterion",
                criterion,
                "--stats",
                statistics,
                "--data",
                DRAMA,
                "--seq-len",
                64,
                "--samples",
                8,
                "--json")
            .json();
    JsonNode totals = manifest.path("totals");
    assertThat(totals.path("parametersAfter").longValue())
        .isLessThan(totals.path("parametersBefore").longValue());
    JsonNode measured =
        smelt("eval", out, "--data", DRAMA, "--seq-len", 64, "--samples", 8, "--json").json();
    assertThat(measured.path("loss").doubleValue())
        .isCloseTo(loss(manifest, "pruned"), within(1e-6));
    assertVerified();
  }

  @Test
  void theConfigSaysWhatIsLeft() {
    prune(LLAMA, "--pattern", "neurons", "--sparsity", 0.3, "--multiple", 32).done();
    try (Checkpoint before = Checkpoint.open(LLAMA);
        Checkpoint after = Checkpoint.open(out)) {
      int units = before.config().orElseThrow().size("intermediate_size");
      int left = after.config().orElseThrow().size("intermediate_size");
      assertThat(left).isEqualTo((units - (int) (0.3 * units) + 31) / 32 * 32);
      assertThat(after.tensor("model.layers.0.mlp.down_proj.weight").shape().size(1))
          .isEqualTo(left);
    }
  }

  @Test
  void whatManyTensorsHaveInCommonIsSaidOnce() {
    String text = prune(MODEL, "--pattern", "neurons", "--sparsity", 0.25).done().out();
    assertThat(text)
        .contains(
            "transformer.h.0.mlp.c_fc.bias and 10 more to transformer.h.3.mlp.c_proj.weight:"
                + " 192 of 768 hidden units left out\n");
    assertThat(text.lines().filter(line -> line.contains("left out"))).hasSize(1);
  }

  @Test
  void thePredictedLossIsThatOfAllTensorsTogether() {
    List<Object> options =
        new ArrayList<>(List.of("--sparsity", 0.2, "--criterion", "fisher", "--stats", statistics));
    assertThat(prune(MODEL, options.toArray()).done().out()).contains("predicted loss");
    options.add("--json");
    double sum = 0;
    JsonNode manifest = prune(MODEL, options.toArray()).json();
    for (JsonNode tensor : manifest.path("tensors")) {
      sum += tensor.path("predictedLoss").asDouble(0);
    }
    assertThat(sum).isPositive();
    assertThat(manifest.path("notes").toString())
        .contains("summed over its tokens, rises by %.3g nats".formatted(sum));
  }

  @Test
  void whatWasPrunedCanBeFactorisedAndWhatWasFactorisedPruned() {
    prune(MODEL, "--sparsity", 0.5).done();
    Path factored = folder.resolve("factored");
    smelt("factorize", out, "-o", factored, "--keep", 0.4, "--overwrite").done();
    Path both = folder.resolve("both");
    JsonNode manifest =
        smelt("prune", factored, "-o", both, "--sparsity", 0.5, "--overwrite", "--json").json();
    long pruned = 0;
    for (JsonNode record : manifest.path("tensors")) {
      if (record.path("action").asString().equals("pruned")) {
        assertThat(record.path("name").asString()).containsPattern("(ALinear|BLinear)\\.weight");
        pruned++;
      }
    }
    assertThat(pruned).isEqualTo(32);
    smelt("eval", both, "--data", DRAMA, "--seq-len", 32, "--samples", 4).done();
    smelt("expand", both, "-o", folder.resolve("expanded"), "--overwrite").done();
    smelt("prune", factored, "-o", folder.resolve("no"), "--sparsity", 0.5, "--pattern", "heads")
        .refused(ExitCode.BAD_INPUT, "factor");
    Path shared = folder.resolve("shared");
    smelt("cluster", out, "-o", shared, "--max-error", 0.5, "--overwrite").done();
    smelt("prune", shared, "-o", folder.resolve("sharedPruned"), "--sparsity", 0.3, "--overwrite")
        .done();
    smelt("eval", folder.resolve("sharedPruned"), "--data", DRAMA, "--seq-len", 32, "--samples", 4)
        .done();
  }

  @Test
  void statisticsOfAnotherModelAreRefused() {
    prune(
            TESTDATA.resolve("gpt2-scripture"),
            "--sparsity",
            0.5,
            "--criterion",
            "fisher",
            "--stats",
            statistics)
        .refused(ExitCode.BAD_INPUT, "statistics are of another model", "--any-model");
  }
}
