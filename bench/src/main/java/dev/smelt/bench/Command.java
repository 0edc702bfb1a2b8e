package dev.smelt.bench;

import dev.smelt.cli.SmeltCommandLine;
import dev.smelt.formats.Json;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** The command in this process, by what a user would type. */
final class Command {

  private Command() {}

  /** Runs with {@code --json --quiet} and returns the document. */
  static JsonNode smelt(Object... arguments) {
    List<String> words = new ArrayList<>();
    for (Object argument : arguments) {
      words.add(argument.toString());
    }
    words.addAll(List.of("--json", "--quiet"));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        new SmeltCommandLine(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                Map.of())
            .run(words.toArray(String[]::new));
    if (code != 0) {
      throw new IllegalStateException(words + ": " + err.toString(StandardCharsets.UTF_8));
    }
    return Json.parse(out.toByteArray(), "smelt " + String.join(" ", words));
  }
}
