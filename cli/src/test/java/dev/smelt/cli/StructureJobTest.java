package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Units that are left out: which, and whether what is left is what it should be. */
class StructureJobTest {

  private static final Path GPT2 = TESTDATA.resolve("gpt2-drama");
  private static final String UP = "transformer.h.0.mlp.c_fc.weight";
  private static final String DOWN = "transformer.h.0.mlp.c_proj.weight";

  @TempDir private static Path folder = Path.of("");

  private final Path out = folder.resolve("out");

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

  private static Path statistics(String model) {
    return folder.resolve(model + ".safetensors");
  }

  private JsonNode prune(Path model, String pattern, Object... options) {
    List<Object> words = new ArrayList<>(List.of("prune", model, "-o", out, "--overwrite"));
    words.addAll(List.of("--pattern", pattern, "--json"));
    words.addAll(List.of(options));
    return smelt(words.toArray()).json();
  }

  private Run verify(Path model, Object... options) {
    List<Object> words = new ArrayList<>(List.of("verify", out, "--against", model));
    words.addAll(List.of(options));
    return smelt(words.toArray());
  }

  private void assertDiffers(Run found, String... parts) {
    assertThat(found.code()).as(found.out()).isEqualTo(ExitCode.GATE_FAILED);
    assertThat(found.out()).contains(parts);
  }

  private static List<Integer> indices(JsonNode entry) {
    return entry.path("indices").valueStream().map(JsonNode::intValue).toList();
  }

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

  private static Object[] words(double sparsity, Object... more) {
    List<Object> words = new ArrayList<>(List.of("--sparsity", sparsity));
    words.addAll(List.of(more));
    return words.toArray();
  }

  private static long checks(JsonNode report, String check) {
    return report
        .path("checks")
        .valueStream()
        .filter(one -> one.path("check").asString().equals(check))
        .count();
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
  void refittedValuesThatWereChangedAreFound() throws IOException {
    Path statistics = statistics("gpt2-drama");
    prune(GPT2, "neurons", "--sparsity", 0.5, "--criterion", "obs", "--stats", statistics);
    new Tampering(out).negate(DOWN);
    verify(GPT2).done();
    assertDiffers(verify(GPT2, "--stats", statistics), "differs  weighted error " + DOWN);
  }

  @Test
  void ofTunedModelsTheErrorIsComputedAgain() throws IOException {
    Object[] tuned = {"--tune", 2, "--train", TESTDATA.resolve("text/drama.train.txt")};
    List<Object> words = new ArrayList<>(List.of(words(0.5, tuned)));
    words.addAll(List.of("--train-samples", 8, "--seq-len", 32, "--lr", 1e-3));
    for (String pattern : List.of("neurons", "blocks")) {
      JsonNode manifest = prune(GPT2, pattern, words.toArray());
      assertThat(manifest.path("tensors").toString()).contains("\"action\":\"tuned\"");
      JsonNode report = verify(GPT2, "--json").json();
      assertThat(checks(report, "relative error")).isEqualTo(pattern.equals("blocks") ? 8 : 16);
      new Tampering(out).negate(UP);
      assertDiffers(verify(GPT2), "differs  relative error " + UP);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {UP, DOWN, "transformer.h.3.mlp.c_fc.bias", "transformer.wte.weight"})
  void valuesThatWereChangedAreFound(String tensor) throws IOException {
    prune(GPT2, "neurons", "--sparsity", 0.5);
    new Tampering(out).flip(tensor);
    assertDiffers(verify(GPT2), "differs  values " + tensor + ": not those of the original");
  }

  /** Nothing was to be refitted, so that a recorded error excuses nothing. */
  @Test
  void valuesThatWereChangedAreFoundWhateverTheManifestSaysOfErrors() throws IOException {
    prune(GPT2, "neurons", "--sparsity", 0.5);
    Tampering tampering = new Tampering(out);
    tampering.flip(DOWN);
    tampering.manifest(
        manifest -> {
          for (JsonNode record : manifest.path("tensors")) {
            ((ObjectNode) record).put("weightedRelativeError", 0.1);
          }
        });
    assertDiffers(verify(GPT2), "differs  values " + DOWN);
  }

  @Test
  void valuesOfMovedTensorsThatWereChangedAreFound() throws IOException {
    prune(GPT2, "blocks", "--sparsity", 0.5, "--dtype", "f32");
    new Tampering(out).flip("transformer.h.1.ln_2.bias");
    assertDiffers(verify(GPT2), "differs  values transformer.h.1.ln_2.bias");
  }

  private void change(Consumer<ObjectNode> leftOut) throws IOException {
    new Tampering(out)
        .manifest(manifest -> leftOut.accept((ObjectNode) manifest.path("leftOut").path(0)));
  }

  private static void set(ObjectNode leftOut, List<Integer> indices) {
    ArrayNode array = leftOut.putArray("indices");
    indices.forEach(array::add);
  }

  @Test
  void otherNumbersThanThoseLeftOutAreFound() throws IOException {
    prune(GPT2, "neurons", "--sparsity", 0.5);
    change(
        entry -> {
          List<Integer> other = new ArrayList<>(indices(entry));
          int free = IntStream.range(0, 768).filter(i -> !other.contains(i)).findFirst().orElse(0);
          other.removeFirst();
          other.add(free);
          set(entry, other.stream().sorted().toList());
        });
    assertDiffers(verify(GPT2), "differs  values " + UP, "differs  values " + DOWN);
  }

  @Test
  void fewerNumbersThanUnitsLeftOutAreFound() throws IOException {
    prune(GPT2, "neurons", "--sparsity", 0.5);
    change(entry -> set(entry, indices(entry).subList(1, 384)));
    assertDiffers(
        verify(GPT2),
        "differs  shape " + UP + ": expected BF16 [192,385], found BF16 [192,384]",
        "differs  config config.json: n_inner: expected 385, found 384");
  }

  @Test
  void otherBlocksThanThoseLeftOutAreFound() throws IOException {
    List<Integer> gone = indices(prune(GPT2, "blocks", "--sparsity", 0.5).path("leftOut").get(0));
    change(entry -> set(entry, gone.equals(List.of(0, 1)) ? List.of(2, 3) : List.of(0, 1)));
    assertDiffers(verify(GPT2), "differs  values transformer.h.0.attn.c_attn.weight");
    change(entry -> set(entry, List.of(gone.getFirst())));
    assertDiffers(
        verify(GPT2),
        "differs  presence transformer.h.2.ln_1.bias: expected it, found nothing",
        "differs  action");
    new Tampering(out).manifest(manifest -> manifest.remove("leftOut"));
    assertDiffers(verify(GPT2), "differs  presence transformer.h.3.ln_1.bias");
    prune(GPT2, "blocks", "--sparsity", 0.25);
    change(entry -> set(entry, List.of(0, 1)));
    assertDiffers(verify(GPT2), "differs  presence transformer.h.2.ln_1.bias: expected no such");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 6     | expected numbers from 0 to 5, ascending, found 6",
        "2 1     | expected numbers from 0 to 5, ascending, found 1",
        "3 3     | expected numbers from 0 to 5, ascending, found 3",
        "-1 2    | expected numbers from 0 to 5, ascending, found -1",
        "0 1 2 3 4 5 | expected some of 6 to stay, found none"
      })
  void numbersThatCannotBeAreFound(String numbers, String detail) throws IOException {
    prune(GPT2, "heads", "--sparsity", 0.4);
    List<Integer> indices =
        List.of(numbers.strip().split(" ")).stream().map(Integer::valueOf).toList();
    change(entry -> set(entry, indices));
    Run found = verify(GPT2);
    assertDiffers(found, "differs  units transformer.h.0.attn.c_proj: " + detail.strip());
    assertThat(found.out()).contains("so tensors were not compared");
  }

  @Test
  void layersThatCannotBeAreFound() throws IOException {
    prune(GPT2, "heads", "--sparsity", 0.4);
    change(entry -> entry.put("units", 7));
    assertDiffers(verify(GPT2), "attn.c_proj: expected 6, found 7");
    change(entry -> entry.put("units", 6).put("pattern", "neurons"));
    assertDiffers(verify(GPT2), "attn.c_proj: expected heads, found neurons");
    change(entry -> entry.put("pattern", "heads").put("layer", "transformer.h.0.mlp.c_proj"));
    assertDiffers(verify(GPT2), "h.0.mlp.c_proj: the original has no such layer");
    change(entry -> entry.put("layer", "transformer.h.1.attn.c_proj"));
    assertDiffers(verify(GPT2), "h.1.attn.c_proj: expected each layer once");
  }

  @Test
  void aManifestThatHidesATensorIsFound() throws IOException {
    prune(GPT2, "heads", "--sparsity", 0.4);
    new Tampering(out).manifest(manifest -> ((ArrayNode) manifest.path("tensors")).remove(0));
    assertDiffers(verify(GPT2), "differs  action", "the manifest has none");
  }

  @Test
  void sizesThatWereChangedAreFound() throws IOException {
    prune(GPT2, "neurons", "--sparsity", 0.5);
    new Tampering(out).config(config -> config.with("n_inner", 385));
    assertDiffers(verify(GPT2), "differs  config config.json: n_inner: expected 384, found 385");
    prune(GPT2, "heads", "--sparsity", 0.4);
    new Tampering(out).config(config -> config.with("pruned_heads", Map.of("0", List.of(1))));
    assertDiffers(verify(GPT2), "differs  config config.json: pruned_heads: expected {\"0\":[");
    new Tampering(out).config(config -> config.without("pruned_heads"));
    assertDiffers(verify(GPT2), "differs  config config.json: pruned_heads");
    new Tampering(out).remove("config.json");
    assertDiffers(verify(GPT2), "differs  config config.json: expected it, found nothing");
    Path llama = TESTDATA.resolve("llama-drama");
    prune(llama, "heads", "--sparsity", 0.5);
    change(entry -> set(entry, List.of()));
    assertDiffers(
        verify(llama), "differs  config config.json", "has one num_attention_heads for all layers");
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

  @Test
  void anotherOriginalIsFound() {
    prune(GPT2, "neurons", "--sparsity", 0.5);
    assertDiffers(
        verify(TESTDATA.resolve("gpt2-scripture")), "input sha256", "differs  values " + UP);
    assertDiffers(verify(TESTDATA.resolve("llama-drama")), "input sha256", "differs  units");
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
