package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static dev.smelt.formats.testing.CheckpointAssertions.assertNoLeftovers;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Adapters of real checkpoints, from the command line: extract, verify, use, read back. */
class DeltaJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path BASE = TESTDATA.resolve("gpt2-scripture");
  private static final Path TEXT = TESTDATA.resolve("text/drama.val.txt");

  @TempDir private static Path folder = Path.of("");
  private static Path adapter = Path.of("");
  private static JsonNode manifest;

  @BeforeAll
  static void extract() {
    adapter = folder.resolve("adapter");
    manifest = smelt("delta", DRAMA, "--base", BASE, "--rank", 16, "-o", adapter, "--json").json();
  }

  private static double loss(Object... model) {
    Object[] arguments = new Object[model.length + 8];
    arguments[0] = "eval";
    System.arraycopy(model, 0, arguments, 1, model.length);
    Object[] data = {"--data", TEXT, "--seq-len", 128, "--samples", 8, "--json"};
    System.arraycopy(data, 0, arguments, model.length + 1, data.length);
    return smelt(arguments).json().path("loss").asDouble();
  }

  @Test
  void theManifestTellsOfEveryTensor() {
    assertThat(manifest.path("command").asString()).isEqualTo("delta");
    assertThat(manifest.path("inputs").get(0).path("role").asString()).isEqualTo("model");
    assertThat(manifest.path("inputs").get(1).path("role").asString()).isEqualTo("base");
    assertThat(manifest.path("tensors")).hasSize(52);
    int factored = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      if (tensor.path("action").asString().equals("delta")) {
        factored++;
        assertThat(tensor.path("rank").asInt()).isEqualTo(16);
        assertThat(tensor.path("deltaError").asDouble()).isBetween(0.1, 0.95);
        assertThat(tensor.path("relativeError").asDouble())
            .isLessThan(tensor.path("deltaError").asDouble());
      } else {
        assertThat(tensor.path("action").asString()).isIn("kept", "unchanged");
      }
    }
    assertThat(factored).as("16 matrices and 2 tables").isEqualTo(18);
    assertThat(manifest.path("totals").path("bytesAfter").asLong())
        .isLessThan(manifest.path("totals").path("bytesBefore").asLong() / 4);
    assertNoLeftovers(folder);
  }

  @Test
  void certificatesHoldAndDamageIsFound() throws IOException {
    smelt("verify", adapter, "--against", DRAMA, "--base", BASE).done();
    smelt("verify", adapter).done();
    Run other = smelt("verify", adapter, "--against", BASE, "--base", BASE);
    assertThat(other.code()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(other.out()).contains("input sha256", "error of the change");
    smelt("verify", adapter, "--against", DRAMA).refused(ExitCode.USAGE, "--base");

    Path damaged = folder.resolve("damaged");
    Files.createDirectory(damaged);
    for (String name : new String[] {"adapter_model.safetensors", "smelt.json"}) {
      Files.copy(adapter.resolve(name), damaged.resolve(name));
    }
    String config = Files.readString(adapter.resolve("adapter_config.json"));
    Files.writeString(
        damaged.resolve("adapter_config.json"),
        config.replace("\"lora_alpha\": 16", "\"lora_alpha\": 32"));
    Run scaled = smelt("verify", damaged);
    assertThat(scaled.code()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(scaled.out()).contains("differs", "adapter_config.json");
  }

  @Test
  void anAdapterRunsLikeTheModelThatItExpandsTo() {
    Path dense = folder.resolve("dense");
    smelt("expand", adapter, "--base", BASE, "-o", dense).done();
    smelt("verify", dense).done();
    double expanded = loss(dense);
    assertThat(loss(adapter, "--base", BASE)).isCloseTo(expanded, within(1e-9));
    assertThat(expanded)
        .as("between base and model")
        .isLessThan(loss(BASE))
        .isGreaterThan(loss(DRAMA));
  }

  @Test
  void fullRankGivesTheModelBack() {
    Path full = folder.resolve("full");
    smelt(
            "delta",
            DRAMA,
            "--base",
            BASE,
            "--max-error",
            0,
            "--allow-larger",
            "--dtype",
            "f32",
            "-o",
            full)
        .done();
    JsonNode report = smelt("diff", DRAMA, full, "--base", BASE, "--json").json();
    assertThat(report.path("tensors")).hasSize(52);
    for (JsonNode tensor : report.path("tensors")) {
      assertThat(tensor.path("relativeError").asDouble())
          .as(tensor.path("name").asString())
          .isLessThan(1e-4);
    }
    assertThat(report.path("notes").toString()).contains("taken with its base");
    assertThat(loss(full, "--base", BASE)).isCloseTo(loss(DRAMA), within(1e-4));
  }

  @Test
  void adaptersMergeLikeTheModelsTheyExpandTo() throws IOException {
    Path dense = folder.resolve("to-merge");
    Path fromDense = folder.resolve("from-dense");
    Path fromAdapter = folder.resolve("from-adapter");
    smelt("expand", adapter, "--base", BASE, "-o", dense).done();
    smelt("merge", dense, BASE, "--method", "linear", "-o", fromDense).done();
    JsonNode merged =
        smelt(
                "merge",
                adapter,
                BASE,
                "--base",
                BASE,
                "--method",
                "linear",
                "-o",
                fromAdapter,
                "--json")
            .json();
    assertThat(fromAdapter.resolve("model.safetensors"))
        .hasSameBinaryContentAs(fromDense.resolve("model.safetensors"));
    assertThat(merged.path("inputs").findValuesAsString("role")).contains("adapter", "base");
  }

  @Test
  void aZooSharesOneBase() {
    Path merged = folder.resolve("mean.v");
    smelt("merge", DRAMA, BASE, "--method", "linear", "-o", merged).done();
    Path zoo = folder.resolve("zoo");
    JsonNode summary =
        smelt(
                "delta",
                DRAMA,
                merged,
                "--base",
                BASE,
                "--rank",
                16,
                "--uniform-rank",
                "-o",
                zoo,
                "--json")
            .json();
    assertThat(summary.path("models")).hasSize(2);
    assertThat(summary.path("bytesAfter").asLong())
        .isEqualTo(
            summary.path("models").get(0).path("bytesAfter").asLong()
                + summary.path("models").get(1).path("bytesAfter").asLong());
    assertThat(zoo.resolve("gpt2-drama/adapter_model.safetensors"))
        .hasSameBinaryContentAs(adapter.resolve("adapter_model.safetensors"));
    smelt("verify", zoo.resolve("mean.v"), "--against", merged, "--base", BASE).done();
    assertThat(
            smelt("delta", DRAMA, merged, "--base", BASE, "--rank", 2, "-o", zoo, "--overwrite")
                .done()
                .out())
        .contains("base and adapters", "gpt2-drama");
    smelt("delta", DRAMA, DRAMA, "--base", BASE, "--rank", 2, "-o", folder.resolve("twice"))
        .refused(ExitCode.USAGE, "two models named gpt2-drama");
  }

  @Test
  void statisticsMustBeOfTheModelOrItsBase() {
    Path ofBase = folder.resolve("base.fisher.safetensors");
    smelt("fisher", BASE, "--data", TEXT, "--seq-len", 64, "--samples", 4, "-o", ofBase).done();
    Path weighted = folder.resolve("weighted");
    smelt(
            "delta",
            DRAMA,
            "--base",
            BASE,
            "--rank",
            8,
            "--metric",
            "fisher",
            "--stats",
            ofBase,
            "-o",
            weighted)
        .done();
    smelt("verify", weighted, "--against", DRAMA, "--base", BASE, "--stats", ofBase).done();
    Path merged = folder.resolve("unrelated");
    smelt("merge", DRAMA, BASE, "--method", "linear", "--weight", 3, "--weight", 1, "-o", merged)
        .done();
    smelt(
            "delta",
            DRAMA,
            "--base",
            merged,
            "--rank",
            8,
            "--metric",
            "fisher",
            "--stats",
            ofBase,
            "-o",
            folder.resolve("refused"))
        .refused(ExitCode.BAD_INPUT, "another model");
    assertThat(folder.resolve("refused")).doesNotExist();
  }

  @Test
  void adaptersNeedTheirBase() {
    smelt("eval", adapter, "--data", TEXT)
        .refused(ExitCode.BAD_INPUT, "an adapter, not a model", "--base", "smelt expand");
    smelt("factorize", adapter, "--keep", 0.5, "-o", folder.resolve("x"))
        .refused(ExitCode.BAD_INPUT, "an adapter, not a model");
    smelt("eval", DRAMA, "--base", BASE, "--data", TEXT)
        .refused(ExitCode.USAGE, "--base has no effect");
    smelt("expand", DRAMA, "--base", BASE, "-o", folder.resolve("x"))
        .refused(ExitCode.USAGE, "--base has no effect");
    smelt("eval", adapter, "--base", TESTDATA.resolve("llama-drama"), "--data", TEXT)
        .refused(ExitCode.BAD_INPUT, "adapter changes a module that the base lacks");
    assertThat(smelt("inspect", adapter).done().out()).contains("lora_embedding_A", "[16,256]");
  }

  @Test
  void requestsThatMakeNoSenseAreRefused() {
    Path target = folder.resolve("never");
    smelt("delta", DRAMA, "--base", BASE, "--rank", 0, "-o", target)
        .refused(ExitCode.USAGE, "--rank 0");
    smelt(
            "delta",
            DRAMA,
            "--base",
            BASE,
            "--rank",
            2,
            "--metric",
            "plain",
            "--stats",
            "x",
            "-o",
            target)
        .refused(ExitCode.USAGE, "--stats has no effect");
    smelt("delta", DRAMA, "--base", BASE, "--rank", 2, "-o", adapter)
        .refused(ExitCode.USAGE, "output exists", "--overwrite");
    smelt("delta", DRAMA, "--base", BASE, "--rank", 2, "-o", DRAMA, "--overwrite")
        .refused(ExitCode.USAGE, "replace an input");
    smelt("delta", TESTDATA.resolve("llama-drama"), "--base", BASE, "--rank", 2, "-o", target)
        .refused(ExitCode.BAD_INPUT, "share no tensor name");
    assertThat(target).doesNotExist();
  }

  @Test
  void spectraAreShownAndReported() throws IOException {
    Path html = folder.resolve("spectrum.html");
    JsonNode report =
        smelt("inspect", DRAMA, "--spectrum", "--include", "*attn.c_????", "-o", html, "--json")
            .json();
    assertThat(report.path("matrices")).hasSize(8);
    for (JsonNode matrix : report.path("matrices")) {
      double effective = matrix.path("effectiveRank").asDouble();
      assertThat(effective).isBetween(1.0, 192.0);
      assertThat(matrix.path("stableRank").asDouble()).isBetween(1.0, effective);
      assertThat(matrix.path("energyAt")).hasSize(3);
      assertThat(matrix.has("curve")).isFalse();
    }
    assertThat(Files.readString(html)).contains("<svg", "transformer.h.3.attn.c_proj.weight");
    assertThat(
            smelt("inspect", DRAMA, "--spectrum", "--base", BASE, "--exclude", "*mlp*")
                .done()
                .out())
        .contains("transformer.h.0.attn.c_attn.weight", "effective");
    smelt("inspect", DRAMA, "--include", "*attn*")
        .refused(ExitCode.USAGE, "no effect without --spectrum");
    smelt("inspect", DRAMA, "--spectrum", "--stats").refused(ExitCode.USAGE, "--stats");
    smelt("inspect", DRAMA, "--spectrum", "-o", html).refused(ExitCode.USAGE, "exists");
  }
}
