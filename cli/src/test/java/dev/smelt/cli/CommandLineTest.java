package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.plain;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Options and help, the same for every command. */
class CommandLineTest {

  private static final Path MODEL = TESTDATA.resolve("gpt2-drama");

  @Test
  void version() {
    Run run = plain("--version").done();
    assertThat(run.out()).matches("smelt \\d+\\.\\d+\\.\\d+\\R");
  }

  @Test
  void helpListsCommandsAndExitCodes() {
    Run run = plain("--help").done();
    assertThat(run.out())
        .contains(
            "inspect",
            "fisher",
            "merge",
            "factorize",
            "cluster",
            "prune",
            "dampen",
            "delta",
            "pack",
            "expand",
            "eval",
            "diff",
            "verify",
            "doctor")
        .containsPattern("0 +done")
        .containsPattern("130 +interrupted");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "inspect",
        "fisher",
        "merge",
        "factorize",
        "cluster",
        "prune",
        "dampen",
        "delta",
        "pack",
        "expand",
        "eval",
        "diff",
        "verify",
        "doctor"
      })
  void everyCommandHasHelpWithAnExample(String command) {
    Run run = plain(command, "--help").done();
    assertThat(run.out()).contains("Usage: smelt " + command, "Example", "--json", "--threads");
    assertThat(plain("help", command).done().out()).isEqualTo(run.out());
  }

  @Test
  void globalOptionsWorkBeforeAndAfterTheCommand() {
    Run before = plain("--json", "--quiet", "inspect", MODEL.toString());
    Run after = plain("inspect", MODEL.toString(), "--quiet", "--json");
    JsonNode report = before.json();
    assertThat(report.path("parameters").asLong()).isEqualTo(1_878_144);
    assertThat(after.out()).isEqualTo(before.out());
  }

  @Test
  void inspectShowsWhatIsThere() {
    JsonNode report = plain("inspect", MODEL.toString(), "--json", "--stats").json();
    assertThat(report.path("modelType").asString()).isEqualTo("gpt2");
    assertThat(report.path("bytes").asLong()).isEqualTo(2 * 1_878_144);
    assertThat(report.path("bytesByDtype").path("BF16").asLong()).isEqualTo(2 * 1_878_144);
    assertThat(report.path("tensors")).hasSize(52);
    JsonNode tensor = report.path("tensors").path(0);
    assertThat(tensor.path("shape").asString()).isEqualTo("[576]");
    assertThat(tensor.path("values").path("min").asDouble())
        .isLessThan(tensor.path("values").path("max").asDouble());
    assertThat(plain("inspect", MODEL.toString()).done().out())
        .contains("gpt2 GPT2LMHeadModel", "1,878,144", "transformer.wte.weight");
  }

  @Test
  void stackTracesOnlyOnRequest() {
    Run quiet = plain("inspect", "nowhere");
    Run debug = plain("inspect", "nowhere", "--debug");
    assertThat(quiet.err()).doesNotContain("\tat ");
    assertThat(debug.err()).contains("\tat ", "smelt: no such checkpoint");
    assertThat(debug.code()).isEqualTo(ExitCode.BAD_INPUT);
  }

  @Test
  void resultsThatCannotBeWrittenAreNotSuccess() {
    OutputStream full =
        new OutputStream() {
          @Override
          public void write(int value) throws IOException {
            throw new IOException("no space left on device");
          }
        };
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        new SmeltCommandLine(
                new PrintStream(full, false, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                Map.of())
            .run("inspect", MODEL.toString());
    assertThat(code).isEqualTo(ExitCode.RESOURCES);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .startsWith("smelt: cannot write the result [standard output]");
  }

  @Test
  void doctorMeasuresTheMachine() {
    JsonNode report = plain("doctor", "--json", "--threads", "1", "--device", "cpu").json();
    assertThat(report.path("pytorch").asString()).isNotEmpty();
    assertThat(report.path("device").asString()).contains("CPU");
    assertThat(report.path("productGflops").asDouble()).isPositive();
    assertThat(report.path("eigenSeconds").asDouble()).isPositive();
    assertThat(report.path("limits")).isNotEmpty();
  }
}
