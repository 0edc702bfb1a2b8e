package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Units that are left out: which, and what is left. */
class StructureJobTest extends StructureJob {

  /** What of the original's elements is left without some of as many runs as there are units. */
  private static double[] without(double[] values, int units, List<Integer> gone) {
    int size = values.length / units;
    return IntStream.range(0, values.length)
        .filter(i -> !gone.contains(i / size))
        .mapToDouble(i -> values[i])
        .toArray();
  }

  @Test
  void theManifestSaysWhichAreLeftOut() {
    for (Map.Entry<String, String> one :
        Map.of("neurons", "mlp.c_proj", "heads", "attn.c_proj").entrySet()) {
      JsonNode manifest = prune(GPT2, one.getKey(), "--sparsity", 0.4);
      JsonNode leftOut = manifest.path("leftOut");
      assertThat(leftOut.size()).isEqualTo(4);
      try (Checkpoint before = Checkpoint.open(GPT2);
          Checkpoint after = Checkpoint.open(out)) {
        for (int block = 0; block < 4; block++) {
          JsonNode entry = leftOut.path(block);
          String layer = "transformer.h." + block + "." + one.getValue();
          assertThat(entry.path("layer").asString()).isEqualTo(layer);
          assertThat(entry.path("pattern").asString()).isEqualTo(one.getKey());
          int units = one.getKey().equals("heads") ? 6 : 768;
          assertThat(entry.path("units").intValue()).isEqualTo(units);
          List<Integer> gone = indices(entry);
          assertThat(gone).hasSize((int) (0.4 * units)).isSorted().doesNotHaveDuplicates();
          // Stored [in, out], so that inputs are runs of elements.
          assertThat(after.tensor(layer + ".weight").toDoubles())
              .containsExactly(without(before.tensor(layer + ".weight").toDoubles(), units, gone));
        }
      }
    }
  }

  @Test
  void theManifestSaysWhichBlocksAreLeftOut() {
    JsonNode leftOut = prune(GPT2, "blocks", "--sparsity", 0.5).path("leftOut");
    assertThat(leftOut.size()).isEqualTo(1);
    JsonNode entry = leftOut.path(0);
    assertThat(entry.path("layer").asString()).isEqualTo("transformer.h");
    assertThat(entry.path("units").intValue()).isEqualTo(4);
    List<Integer> gone = indices(entry);
    assertThat(gone).hasSize(2).isSorted();
    List<Integer> kept = IntStream.range(0, 4).boxed().filter(i -> !gone.contains(i)).toList();
    try (Checkpoint before = Checkpoint.open(GPT2);
        Checkpoint after = Checkpoint.open(out)) {
      for (int i = 0; i < 2; i++) {
        String rest = ".mlp.c_fc.bias";
        assertThat(after.tensor("transformer.h." + i + rest).toDoubles())
            .containsExactly(before.tensor("transformer.h." + kept.get(i) + rest).toDoubles());
      }
    }
  }

  @Test
  void otherManifestsListNothing() {
    assertThat(prune(GPT2, "unstructured", "--sparsity", 0.5).has("leftOut")).isFalse();
    assertThat(prune(GPT2, "heads", "--sparsity", 0.1).has("leftOut")).isFalse();
    verify(GPT2).done();
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2-drama, neurons, f32", "gpt2-drama, heads, f16", "gpt2-drama, blocks, f32",
    "llama-drama, neurons, bf16", "llama-drama, heads, bf16", "llama-drama, blocks, f16",
    "bert-base, neurons, f32", "bert-base, heads, f16", "bert-base, blocks, f32"
  })
  void everyPatternOfEveryFamilyHolds(String name, String pattern, String dtype) {
    Path model = TESTDATA.resolve(name);
    for (Object[] options :
        new Object[][] {{}, {"--dtype", dtype}, {"--pack"}, {"--dtype", dtype, "--pack"}}) {
      JsonNode manifest = prune(model, pattern, words(0.5, options));
      assertThat(manifest.path("leftOut").isEmpty()).isFalse();
      JsonNode report = verify(model, "--json").json();
      long left =
          manifest
              .path("tensors")
              .valueStream()
              .filter(one -> !one.path("action").asString().equals("dropped"))
              .count();
      assertThat(checks(report, "values")).isEqualTo(left);
      assertThat(checks(report, "config")).isEqualTo(1);
      assertThat(report.path("notes").isEmpty()).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2-drama, neurons, f32", "gpt2-drama, heads, f16",
    "llama-drama, neurons, bf16", "llama-drama, heads, f16"
  })
  void outputsOfRefittedLayersAreComparedAgain(String name, String pattern, String dtype) {
    Path model = TESTDATA.resolve(name);
    Path statistics = statistics(name);
    for (Object[] options :
        new Object[][] {{}, {"--dtype", dtype}, {"--damping", 1e-4, "--pack"}}) {
      List<Object> words = new ArrayList<>(List.of(words(0.5, options)));
      words.addAll(List.of("--criterion", "obs", "--stats", statistics));
      prune(model, pattern, words.toArray());
      JsonNode report = verify(model, "--stats", statistics, "--json").json();
      assertThat(checks(report, "weighted error")).isEqualTo(4);
      JsonNode without = verify(model, "--json").json();
      assertThat(checks(without, "weighted error")).isZero();
      assertThat(checks(without, "values")).isEqualTo(checks(report, "values"));
      assertThat(without.path("notes").toString())
          .contains("weighted errors were not computed again; give --stats");
    }
  }

  @Test
  void ofASingleFileSizesAreNotCompared() {
    Path file = folder.resolve("small.safetensors");
    smelt("prune", GPT2, "-o", file, "--overwrite", "--pattern", "neurons", "--sparsity", 0.5)
        .done();
    JsonNode report = smelt("verify", file, "--against", GPT2, "--json").json();
    assertThat(checks(report, "config")).isZero();
    assertThat(report.path("notes").toString()).contains("a single file has no config.json");
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2-drama, neurons, obs, 0.4, 307",
    "gpt2-drama, heads, fisher, 0.5, 3",
    "llama-drama, heads, obs, 0.5, 1",
    "llama-drama, blocks, block-entropy, 0.25, 1",
    "gpt2-drama, blocks, fisher, 0.5, 2"
  })
  void inStepsTheShareThatWasAskedForGoesInTheEnd(
      String model, String pattern, String criterion, double sparsity, int gone) {
    Path original = TESTDATA.resolve(model);
    Object[] options = {
      "--sparsity",
      sparsity,
      "--criterion",
      criterion,
      "--schedule",
      "cubic",
      "--steps",
      3,
      "--train",
      TESTDATA.resolve("text/drama.train.txt"),
      "--train-samples",
      4,
      "--seq-len",
      32
    };
    JsonNode manifest = prune(original, pattern, options);
    JsonNode leftOut = manifest.path("leftOut");
    assertThat(leftOut).isNotEmpty();
    leftOut.forEach(entry -> assertThat(indices(entry)).hasSize(gone));
    assertThat(manifest.path("parameters").path("steps").intValue()).isEqualTo(3);
    verify(original).done();
    smelt("eval", out, "--data", TESTDATA.resolve("text/drama.val.txt"), "--samples", 2).done();
  }
}
