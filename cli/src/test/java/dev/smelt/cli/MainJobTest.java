package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static dev.smelt.formats.testing.CheckpointAssertions.assertNoLeftovers;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The main job on real checkpoints, from the command line: measure, merge, factorise, report. */
class MainJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path SCRIPTURE = TESTDATA.resolve("gpt2-scripture");
  private static final Path TEXT = TESTDATA.resolve("text");

  @TempDir private static Path folder = Path.of("");
  private static Path dramaFisher = Path.of("");
  private static Path scriptureFisher = Path.of("");
  private static Path merged = Path.of("");

  @BeforeAll
  static void mergeByFisher() {
    dramaFisher = fisher(DRAMA, "drama");
    scriptureFisher = fisher(SCRIPTURE, "scripture");
    merged = folder.resolve("merged");
    mergeInto(merged);
  }

  private static void mergeInto(Path target) {
    smelt(
            "merge",
            DRAMA,
            SCRIPTURE,
            "--method",
            "fisher",
            "--fisher",
            dramaFisher,
            "--fisher",
            scriptureFisher,
            "-o",
            target)
        .done();
  }

  private static Path fisher(Path model, String domain) {
    Path file = folder.resolve(domain + ".fisher.safetensors");
    JsonNode report =
        smelt(
                "fisher",
                model,
                "--data",
                TEXT.resolve(domain + ".train.txt"),
                "--seq-len",
                128,
                "--samples",
                32,
                "-o",
                file,
                "--json")
            .json();
    assertThat(report.path("examples").asInt()).isEqualTo(32);
    assertThat(report.path("tokens").asInt()).isEqualTo(32 * 128);
    assertThat(report.path("seconds").asDouble()).isPositive();
    assertThat(report.path("output").asString()).isEqualTo(file.toString());
    return file;
  }

  private static double loss(Path model, String domain) {
    return eval(model, domain).path("loss").asDouble();
  }

  private static JsonNode eval(Path model, String domain) {
    return smelt(
            "eval",
            model,
            "--data",
            TEXT.resolve(domain + ".val.txt"),
            "--seq-len",
            256,
            "--samples",
            40,
            "--json")
        .json();
  }

  private static double summedLoss(Path model) {
    return loss(model, "drama") + loss(model, "scripture");
  }

  private static JsonNode golden(String name) throws IOException {
    Path file = TESTDATA.resolve("golden").resolve(name);
    return Json.parse(Files.readAllBytes(file), file.toString());
  }

  @Test
  void evalAgreesWithPyTorch() throws IOException {
    JsonNode expected = golden("eval.json");
    for (Path model : new Path[] {DRAMA, SCRIPTURE}) {
      for (String domain : new String[] {"drama", "scripture"}) {
        JsonNode reference =
            expected.path(String.valueOf(model.getFileName())).path(domain + ".val.txt");
        JsonNode found = eval(model, domain);
        assertThat(found.path("loss").asDouble())
            .isCloseTo(reference.path("loss").asDouble(), within(1e-4));
        assertThat(found.path("perplexity").asDouble())
            .isCloseTo(reference.path("perplexity").asDouble(), within(1e-3));
        assertThat(found.path("accuracy").asDouble())
            .isCloseTo(reference.path("accuracy").asDouble(), within(1e-3));
        assertThat(found.path("examples").asInt()).isEqualTo(40);
        assertThat(found.path("tokens").asInt()).isEqualTo(10240);
        assertThat(found.path("tokensPerSecond").asDouble())
            .isCloseTo(10240 / found.path("seconds").asDouble(), within(1e-6));
        assertThat(found.has("examplesPerSecond")).isFalse();
      }
    }
  }

  @Test
  void classifierAgreesWithPyTorch() throws IOException {
    JsonNode reference = golden("eval.json").path("bert-base.whole-words").path("reviews.dev.tsv");
    JsonNode found =
        smelt(
                "eval",
                TESTDATA.resolve("bert-base"),
                "--data",
                TEXT.resolve("reviews.dev.tsv"),
                "--json")
            .json();
    assertThat(found.path("loss").asDouble())
        .isCloseTo(reference.path("loss").asDouble(), within(1e-4));
    assertThat(found.path("accuracy").asDouble())
        .isCloseTo(reference.path("accuracy").asDouble(), within(1e-3));
    assertThat(found.path("examples").asInt()).isEqualTo(160);
    assertThat(found.has("perplexity")).isFalse();
    assertThat(found.path("examplesPerSecond").asDouble())
        .isCloseTo(160 / found.path("seconds").asDouble(), within(1e-6));
    assertThat(found.has("tokensPerSecond")).isFalse();
  }

  @Test
  void fisherMergeBeatsBothParents() {
    double both = summedLoss(merged);
    assertThat(both).isLessThan(summedLoss(DRAMA)).isLessThan(summedLoss(SCRIPTURE));
  }

  @Test
  void mergingWithItselfGivesTheModelBack() throws IOException {
    Path linear = folder.resolve("self-linear");
    Path byFisher = folder.resolve("self-fisher");
    smelt("merge", DRAMA, DRAMA, "--method", "linear", "--weight", 3, "--weight", 1, "-o", linear)
        .done();
    smelt(
            "merge",
            DRAMA,
            DRAMA,
            "--method",
            "fisher",
            "--fisher",
            dramaFisher,
            "--fisher",
            dramaFisher,
            "-o",
            byFisher)
        .done();
    byte[] original = Files.readAllBytes(DRAMA.resolve("model.safetensors"));
    assertThat(Files.readAllBytes(linear.resolve("model.safetensors"))).isEqualTo(original);
    assertThat(Files.readAllBytes(byFisher.resolve("model.safetensors"))).isEqualTo(original);
  }

  @Test
  void outputIsAWholeModelFolder() {
    assertThat(merged.resolve("config.json")).exists();
    assertThat(merged.resolve("tokenizer.json"))
        .hasSameBinaryContentAs(DRAMA.resolve("tokenizer.json"));
    assertThat(merged.resolve("smelt.json")).exists();
    assertNoLeftovers(folder);
  }

  @Test
  void manifestsAreTheSameEveryTime() throws IOException {
    Path again = folder.resolve("again");
    mergeInto(again);
    assertThat(Files.readString(again.resolve("smelt.json")))
        .isEqualTo(Files.readString(merged.resolve("smelt.json")));
  }

  @Test
  void factorizedModelRunsVerifiesAndExpands() throws IOException {
    Path small = folder.resolve("small");
    JsonNode manifest =
        smelt(
                "factorize",
                merged,
                "--metric",
                "plain",
                "--keep",
                0.5,
                "-o",
                small,
                "--dtype",
                "f32",
                "--json")
            .json();
    assertThat(manifest.path("command").asString()).isEqualTo("factorize");
    assertThat(manifest.path("totals").path("parametersAfter").asLong())
        .isLessThan(manifest.path("totals").path("parametersBefore").asLong());
    smelt("verify", small, "--against", merged).done();

    Path dense = folder.resolve("dense");
    smelt("expand", small, "-o", dense).done();
    assertThat(loss(small, "drama")).isCloseTo(loss(dense, "drama"), within(1e-4));
    assertThat(Json.parse(Files.readAllBytes(dense.resolve("config.json")), "dense"))
        .as("config restored, in the wider type")
        .isEqualTo(
            Json.parse(
                Files.readString(merged.resolve("config.json"))
                    .replace("bfloat16", "float32")
                    .getBytes(java.nio.charset.StandardCharsets.UTF_8),
                "merged"));
  }

  @Test
  void fullRankChangesNothing() {
    Path full = folder.resolve("full");
    Path dense = folder.resolve("full-dense");
    smelt("factorize", merged, "--max-error", 1e-6, "--allow-larger", "--dtype", "f32", "-o", full)
        .done();
    smelt("expand", full, "-o", dense).done();
    double expected = loss(merged, "drama");
    assertThat(loss(full, "drama")).isCloseTo(expected, within(1e-4));
    assertThat(loss(dense, "drama")).isCloseTo(expected, within(1e-4));
  }

  @Test
  void plainErrorsAgreeWithPyTorch() throws IOException {
    Path small = folder.resolve("drama-small");
    JsonNode manifest =
        smelt("factorize", DRAMA, "--keep", 0.5, "--dtype", "f32", "-o", small, "--json").json();
    JsonNode reference = golden("lowrank.json").path("factorize");
    int compared = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      JsonNode expected = reference.path(tensor.path("name").asString());
      if (expected.isMissingNode()) {
        assertThat(tensor.path("action").asString()).isEqualTo("kept");
        continue;
      }
      assertThat(tensor.path("rank").asInt()).isEqualTo(expected.path("rank").asInt());
      double error = expected.path("plain_relative_error").asDouble();
      assertThat(tensor.path("relativeError").asDouble()).isCloseTo(error, within(1e-3 * error));
      compared++;
    }
    assertThat(compared).isEqualTo(16);
  }

  @Test
  void diffShowsCostAndSavings() throws IOException {
    Path small = folder.resolve("diffed");
    smelt(
            "factorize",
            DRAMA,
            "--metric",
            "fisher",
            "--stats",
            dramaFisher,
            "--keep",
            0.4,
            "-o",
            small)
        .done();
    Path html = folder.resolve("report.html");
    JsonNode report =
        smelt(
                "diff",
                DRAMA,
                small,
                "--data",
                TEXT.resolve("drama.val.txt"),
                "--seq-len",
                128,
                "--samples",
                10,
                "-o",
                html,
                "--json")
            .json();
    JsonNode before = report.path("before");
    JsonNode after = report.path("after");
    assertThat(after.path("bytes").asLong()).isLessThan(before.path("bytes").asLong());
    assertThat(after.path("parameters").asLong()).isLessThan(before.path("parameters").asLong());
    assertThat(after.path("loss").asDouble()).isGreaterThan(before.path("loss").asDouble());
    assertThat(after.path("perplexity").asDouble())
        .isCloseTo(Math.exp(after.path("loss").asDouble()), within(1e-9));
    assertThat(after.path("accuracy").asDouble()).isBetween(0.0, 1.0);
    for (JsonNode model : List.of(before, after)) {
      assertThat(model.path("tokensPerSecond").asDouble()).isPositive();
      assertThat(model.path("scores").path(0).path("tokensPerSecond").asDouble())
          .isEqualTo(model.path("tokensPerSecond").asDouble());
      assertThat(model.has("examplesPerSecond")).isFalse();
    }
    assertThat(report.path("tensors")).hasSize(52);
    int factorized = 0;
    for (JsonNode tensor : report.path("tensors")) {
      boolean hasRank = tensor.has("rank");
      factorized += hasRank ? 1 : 0;
      assertThat(tensor.path("relativeError").asDouble() > 0).isEqualTo(hasRank);
      assertThat(tensor.path("bytesAfter").asLong() < tensor.path("bytesBefore").asLong())
          .isEqualTo(hasRank);
    }
    assertThat(factorized).isEqualTo(16);
    assertThat(Files.readString(html)).contains("<svg", "transformer.h.3.mlp.c_proj.weight");
  }

  @Test
  void failedGatesAreToldByTheExitCode() throws IOException {
    Run gate =
        smelt(
            "diff",
            DRAMA,
            SCRIPTURE,
            "--data",
            TEXT.resolve("drama.val.txt"),
            "--seq-len",
            128,
            "--samples",
            4,
            "--max-loss-increase",
            0.01);
    assertThat(gate.code()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(gate.out()).contains("gpt2-drama", "gpt2-scripture");
    assertThat(gate.err())
        .startsWith("smelt: loss increased too much")
        .contains("allowed are 0.01");

    Path damaged = folder.resolve("damaged");
    smelt("merge", DRAMA, SCRIPTURE, "--method", "linear", "-o", damaged).done();
    Path weights = damaged.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 1] ^= 1;
    Files.write(weights, bytes);
    Run verify = smelt("verify", damaged);
    assertThat(verify.code()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(verify.out()).contains("differs", "sha256", "model.safetensors");
    assertThat(verify.err()).startsWith("smelt: verification found a difference");
  }
}
