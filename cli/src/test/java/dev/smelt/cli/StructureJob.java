package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Leaves units out of models of testdata, and verifies the result. */
abstract class StructureJob {

  static final Path GPT2 = TESTDATA.resolve("gpt2-drama");
  static final String UP = "transformer.h.0.mlp.c_fc.weight";
  static final String DOWN = "transformer.h.0.mlp.c_proj.weight";

  @TempDir static Path folder = Path.of("");

  final Path out = folder.resolve("out");

  @BeforeAll
  static void computeStatistics() {
    for (String model : List.of("gpt2-drama", "llama-drama")) {
      smelt(
              "fisher",
              TESTDATA.resolve(model),
              "--data",
              TESTDATA.resolve("text/drama.train.txt"),
              "--seq-len",
              32,
              "--samples",
              8,
              "--stats",
              "input-gram",
              "-o",
              statistics(model))
          .done();
    }
  }

  static Path statistics(String model) {
    return folder.resolve(model + ".safetensors");
  }

  JsonNode prune(Path model, String pattern, Object... options) {
    List<Object> words = new ArrayList<>(List.of("prune", model, "-o", out, "--overwrite"));
    words.addAll(List.of("--pattern", pattern, "--json"));
    words.addAll(List.of(options));
    return smelt(words.toArray()).json();
  }

  Run verify(Path model, Object... options) {
    List<Object> words = new ArrayList<>(List.of("verify", out, "--against", model));
    words.addAll(List.of(options));
    return smelt(words.toArray());
  }

  void assertDiffers(Run found, String... parts) {
    assertThat(found.code()).as(found.out()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(found.out()).contains(parts);
  }

  static List<Integer> indices(JsonNode entry) {
    return entry.path("indices").valueStream().map(JsonNode::intValue).toList();
  }

  static Object[] words(double sparsity, Object... more) {
    List<Object> words = new ArrayList<>(List.of("--sparsity", sparsity));
    words.addAll(List.of(more));
    return words.toArray();
  }

  static long checks(JsonNode report, String check) {
    return report
        .path("checks")
        .valueStream()
        .filter(one -> one.path("check").asString().equals(check))
        .count();
  }
}
