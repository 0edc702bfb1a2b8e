package dev.smelt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Json;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** What one run of the command gave. */
record Run(List<String> arguments, int code, String out, String err) {

  static final Path TESTDATA = Path.of(System.getProperty("smelt.testdata"));

  /**
   * Runs with one thread on the CPU, so that numbers are the same everywhere, and without progress.
   */
  static Run smelt(Object... arguments) {
    List<String> words = new ArrayList<>();
    for (Object argument : arguments) {
      words.add(argument.toString());
    }
    words.addAll(List.of("--threads", "1", "--device", "cpu", "--quiet"));
    return plain(words.toArray(String[]::new));
  }

  /** Runs with exactly these arguments. */
  static Run plain(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        new SmeltCommandLine(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                Map.of("COLUMNS", "100"))
            .run(arguments);
    return new Run(
        List.of(arguments),
        code,
        out.toString(StandardCharsets.UTF_8),
        err.toString(StandardCharsets.UTF_8));
  }

  /** Asserts success and silence on standard error. */
  Run done() {
    assertThat(err).as("%s", arguments).isEmpty();
    assertThat(code).as("%s", arguments).isZero();
    return this;
  }

  /** Asserts success and parses the one JSON document on standard output. */
  JsonNode json() {
    done();
    return Json.parse(out.getBytes(StandardCharsets.UTF_8), "standard output");
  }

  /**
   * Asserts a refusal: this exit code, nothing on standard output, one line that says all of this.
   */
  void refused(int expectedCode, String... parts) {
    assertThat(err).as("%s", arguments).startsWith("smelt: ").endsWith("\n").contains(parts);
    assertThat(err.lines()).as("%s", arguments).hasSize(1);
    assertThat(code).as("%s: %s", arguments, err).isEqualTo(expectedCode);
    assertThat(out).as("%s", arguments).isEmpty();
  }
}
