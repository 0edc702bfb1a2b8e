package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What was changed after units were left out is found. */
class StructureTamperTest extends StructureJob {

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
  void anotherOriginalIsFound() {
    prune(GPT2, "neurons", "--sparsity", 0.5);
    assertDiffers(
        verify(TESTDATA.resolve("gpt2-scripture")), "input sha256", "differs  values " + UP);
    assertDiffers(verify(TESTDATA.resolve("llama-drama")), "input sha256", "differs  units");
  }
}
