package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Shared bases from the command line: promised, written, run, verified, multiplied out. */
class ClusterJobTest {

  private static final Path LLAMA = TESTDATA.resolve("llama-drama");
  private static final Path GPT2 = TESTDATA.resolve("gpt2-drama");
  private static final Path HELD = TESTDATA.resolve("text/drama.val.txt");

  @TempDir private Path folder = Path.of("");

  private Run cluster(Path model, String out, Object... options) {
    List<Object> words = new ArrayList<>(List.of("cluster", model));
    words.addAll(List.of("-o", folder.resolve(out), "--json"));
    words.addAll(List.of(options));
    return smelt(words.toArray());
  }

  @ParameterizedTest
  @CsvSource({
    "exact,0.4,f32",
    "exact,0.25,bf16",
    "incremental,0.5,bf16",
    "residual,0.5,f32",
    "max-norm,0.5,f16"
  })
  void thePromiseHoldsInWhatWasWritten(String algorithm, double maxError, String dtype) {
    List<Object> options =
        new ArrayList<>(
            List.of("--algorithm", algorithm, "--max-error", maxError, "--dtype", dtype));
    if (!algorithm.equals("exact")) {
      options.addAll(List.of("--rank", 120));
    }
    JsonNode manifest = cluster(LLAMA, "out", options.toArray()).json();
    double worst = 0;
    for (JsonNode cluster : manifest.path("clusters")) {
      worst = Math.max(worst, cluster.path("relativeError").doubleValue());
      assertThat(cluster.path("members").size()).isGreaterThan(1);
      assertThat(cluster.path("bytesAfter").longValue())
          .isLessThan(cluster.path("bytesBefore").longValue());
    }
    assertThat(worst).isLessThanOrEqualTo(maxError);
    // Errors, members and the promise are computed again from the files.
    JsonNode verified = smelt("verify", folder.resolve("out"), "--against", LLAMA, "--json").json();
    assertThat(verified.path("ok").asBoolean()).isTrue();
    long promises =
        verified
            .path("checks")
            .valueStream()
            .filter(check -> check.path("check").asString().equals("promise"))
            .filter(check -> check.path("subject").asString().startsWith("smelt.basis."))
            .count();
    assertThat(promises).isEqualTo(manifest.path("clusters").size());
  }

  @Test
  void aClusteredModelRunsAsItsDenseFormDoes() {
    Object[] data = {"--data", HELD, "--seq-len", 64, "--samples", 12};
    JsonNode manifest =
        cluster(
                LLAMA,
                "out",
                "--max-error",
                0.4,
                data[0],
                data[1],
                data[2],
                data[3],
                data[4],
                data[5])
            .json();
    assertThat(manifest.path("clusters").size()).isGreaterThan(3);
    double loss = manifest.path("measured").get(1).path("loss").doubleValue();
    Path out = folder.resolve("out");
    Path dense = folder.resolve("dense");
    smelt("expand", out, "-o", dense).done();
    for (Path model : List.of(out, dense)) {
      JsonNode found =
          smelt("eval", model, data[0], data[1], data[2], data[3], data[4], data[5], "--json")
              .json();
      assertThat(found.path("loss").doubleValue()).isCloseTo(loss, within(1e-5));
    }
    long bytes = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      bytes += tensor.path("bytesAfter").longValue();
    }
    assertThat(bytes).isEqualTo(manifest.path("totals").path("bytesAfter").longValue());
  }

  @Test
  void theReportShowsWhoShares() throws IOException {
    JsonNode manifest = cluster(GPT2, "out", "--max-error", 0.5).json();
    Path report = folder.resolve("report.html");
    JsonNode diff = smelt("diff", GPT2, folder.resolve("out"), "-o", report, "--json").json();
    assertThat(diff.path("shared").size()).isEqualTo(manifest.path("clusters").size());
    for (int i = 0; i < diff.path("shared").size(); i++) {
      JsonNode shown = diff.path("shared").get(i);
      JsonNode made = manifest.path("clusters").get(i);
      for (String key : List.of("basis", "side", "rank", "bytesBefore", "bytesAfter")) {
        assertThat(shown.path(key)).isEqualTo(made.path(key));
      }
      assertThat(shown.path("largestError").doubleValue())
          .isGreaterThanOrEqualTo(made.path("relativeError").doubleValue() - 1e-9);
    }
    assertThat(Files.readString(report)).contains("Shared bases").contains("plot sharing");
  }

  @Test
  void aChangedBasisIsFound() throws IOException {
    cluster(GPT2, "out", "--max-error", 0.5).done();
    Path weights = folder.resolve("out/model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    // In the largest tensor: the last bytes of the file's middle half.
    bytes[bytes.length / 2] ^= 0x40;
    Files.write(weights, bytes);
    Run verified = smelt("verify", folder.resolve("out"), "--against", GPT2, "--json");
    assertThat(verified.code()).isEqualTo(ExitCode.GATE_FAILED);
  }

  /**
   * Panels of both axes, of layers stored in either orientation, in whole, run and multiplied out.
   */
  @ParameterizedTest
  @CsvSource({"output,gpt2-drama", "input,gpt2-drama", "output,llama-drama", "input,llama-drama"})
  void panelsShareOnTheirOwn(String side, String name) {
    Path model = TESTDATA.resolve(name);
    Object[] options = {
      "--max-error",
      0.5,
      "--panel",
      80,
      "--side",
      side,
      "--data",
      HELD,
      "--seq-len",
      64,
      "--samples",
      6
    };
    JsonNode manifest = cluster(model, "out", options).json();
    long panels = 0;
    for (JsonNode cluster : manifest.path("clusters")) {
      for (JsonNode member : cluster.path("members")) {
        panels += member.asString().matches(".*\\.p[0-9]+") ? 1 : 0;
      }
    }
    assertThat(panels).isGreaterThan(4);
    Path out = folder.resolve("out");
    smelt("verify", out, "--against", model).done();
    Path dense = folder.resolve("dense");
    smelt("expand", out, "-o", dense).done();
    double loss = manifest.path("measured").get(1).path("loss").doubleValue();
    for (Path written : List.of(out, dense)) {
      JsonNode found =
          smelt("eval", written, "--data", HELD, "--seq-len", 64, "--samples", 6, "--json").json();
      assertThat(found.path("loss").doubleValue()).isCloseTo(loss, within(3e-4));
    }
    long bytes = 0;
    for (JsonNode tensor : manifest.path("tensors")) {
      bytes += tensor.path("bytesAfter").longValue();
    }
    assertThat(bytes).isEqualTo(manifest.path("totals").path("bytesAfter").longValue());
    cluster(model, "x", "--max-error", 0.5, "--panel", 0).refused(ExitCode.USAGE, "--panel 0");
  }

  @Test
  void matricesAreGroupedByTheirNames() {
    JsonNode all =
        cluster(GPT2, "all", "--max-error", 0.6, "--group", "c_(?:fc|attn)", "--side", "input")
            .json();
    for (JsonNode cluster : all.path("clusters")) {
      assertThat(cluster.path("side").asString()).isEqualTo("input");
      for (JsonNode member : cluster.path("members")) {
        assertThat(member.asString()).containsPattern("c_fc|c_attn");
      }
    }
    assertThat(all.path("clusters").toString()).contains("c_fc").contains("c_attn");
    JsonNode same =
        cluster(GPT2, "same", "--max-error", 0.6, "--group", "(c_fc|c_attn)", "--side", "input")
            .json();
    for (JsonNode cluster : same.path("clusters")) {
      String members = cluster.path("members").toString();
      assertThat(members.contains("c_fc") && members.contains("c_attn")).isFalse();
    }
  }

  @Test
  void everyHeightOfAGroupIsClustered() {
    // Inputs of attention and of the inner layer are 192 wide, those of mlp.c_proj 768.
    JsonNode all =
        cluster(GPT2, "all", "--max-error", 0.6, "--group", "h", "--side", "input").json();
    JsonNode narrow =
        cluster(GPT2, "narrow", "--max-error", 0.6, "--group", "attn|c_fc", "--side", "input")
            .json();
    JsonNode wide =
        cluster(GPT2, "wide", "--max-error", 0.6, "--group", "mlp.c_proj", "--side", "input")
            .json();
    assertThat(narrow.path("clusters").size()).isPositive();
    assertThat(wide.path("clusters").size()).isPositive();
    assertThat(all.path("clusters").size())
        .isEqualTo(narrow.path("clusters").size() + wide.path("clusters").size());
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    cluster(GPT2, "x").refused(ExitCode.USAGE, "--max-error");
    cluster(GPT2, "x", "--max-error", 1).refused(ExitCode.USAGE, "--max-error 1.0 is out of range");
    cluster(GPT2, "x", "--max-error", 0.3, "--algorithm", "residual")
        .refused(ExitCode.USAGE, "--algorithm residual needs a rank");
    cluster(GPT2, "x", "--max-error", 0.3, "--order", "norm")
        .refused(ExitCode.USAGE, "--order has no effect with --algorithm exact");
    cluster(GPT2, "x", "--max-error", 0.3, "--algorithm", "max-norm", "--rank", 4).done();
    cluster(GPT2, "y", "--max-error", 0.3, "--group", "(").refused(ExitCode.USAGE, "--group '('");
    cluster(GPT2, "y", "--max-error", 0.3, "--group", "nothing")
        .refused(ExitCode.USAGE, "are in one group");
    cluster(GPT2, "y", "--max-error", 0.3, "--seq-len", 4)
        .refused(ExitCode.USAGE, "--seq-len has no effect without --data");
    cluster(folder.resolve("x"), "y", "--max-error", 0.3)
        .refused(ExitCode.BAD_INPUT, "factorized checkpoint");
    assertThat(folder.resolve("y")).doesNotExist();
  }
}
