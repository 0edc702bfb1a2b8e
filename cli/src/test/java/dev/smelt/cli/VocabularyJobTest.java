package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Json;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Merging models of different vocabularies, from the command line. */
class VocabularyJobTest {

  private static final Path DRAMA = TESTDATA.resolve("gpt2-drama");
  private static final Path SCRIPTURE = TESTDATA.resolve("gpt2-scripture");
  private static final String TOKENIZER = "tokenizer.json";
  private static final int TOKENS = 256;

  @TempDir private Path folder;

  /** The same model with the rows of all tokens, and their ids, in the opposite order. */
  private Path reversed(Path model) throws IOException {
    List<TestTensor> tensors = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      for (TensorView view : checkpoint.tensors()) {
        boolean byToken = view.name().matches("(transformer\\.)?wte\\.weight|lm_head\\.weight");
        tensors.add(byToken ? reversed(TestTensors.of(view)) : TestTensors.of(view));
      }
    }
    ObjectNode tokenizer = (ObjectNode) read(model.resolve(TOKENIZER));
    ObjectNode vocabulary = (ObjectNode) tokenizer.path("model").path("vocab");
    for (String token : List.copyOf(vocabulary.propertyNames())) {
      vocabulary.put(token, TOKENS - 1 - vocabulary.path(token).intValue());
    }
    return write(folder.resolve("reversed"), model, tokenizer, tensors);
  }

  private static Path write(Path target, Path model, ObjectNode tokenizer, List<TestTensor> tensors)
      throws IOException {
    String config = Files.readString(model.resolve("config.json"));
    TestCheckpoints.folder(target, config, tensors);
    TestCheckpoints.write(target.resolve(TOKENIZER), Json.write(tokenizer));
    return target;
  }

  private static JsonNode read(Path file) throws IOException {
    return Json.parse(Files.readAllBytes(file), file.toString());
  }

  private static TestTensor reversed(TestTensor tensor) {
    byte[] from = tensor.bytes();
    byte[] to = new byte[from.length];
    int row = from.length / TOKENS;
    for (int i = 0; i < TOKENS; i++) {
      System.arraycopy(from, i * row, to, (TOKENS - 1 - i) * row, row);
    }
    return new TestTensor(tensor.name(), tensor.dtype(), tensor.shape(), to);
  }

  private JsonNode merge(Path out, Object... words) {
    List<Object> all = new ArrayList<>(List.of("merge"));
    all.addAll(List.of(words));
    all.addAll(
        List.of("--method", "linear", "--weight", 0.6, "--weight", 0.4, "-o", out, "--json"));
    return smelt(all.toArray()).json();
  }

  @Test
  void theOrderOfTokensMakesNoDifference() throws IOException {
    Path other = reversed(SCRIPTURE);
    Path expected = folder.resolve("expected");
    merge(expected, DRAMA, SCRIPTURE);
    for (String source : List.of("base", "union", DRAMA.toString())) {
      Path out = folder.resolve("out" + source.length());
      JsonNode manifest = merge(out, DRAMA, other, "--tokenizer", source);
      assertThat(manifest.path("parameters").path("tokenizer").asString()).isEqualTo(source);
      assertSame(expected, out);
      assertThat(read(out.resolve(TOKENIZER))).isEqualTo(read(DRAMA.resolve(TOKENIZER)));
    }
    // The vocabulary of the second: the same model in the other order.
    Path second = folder.resolve("second");
    merge(second, DRAMA, other, "--tokenizer", other);
    assertThat(read(second.resolve(TOKENIZER))).isEqualTo(read(other.resolve(TOKENIZER)));
    // Only the order of the sum over all tokens is another.
    assertThat(loss(second)).isCloseTo(loss(expected), within(1e-6));
  }

  @Test
  void aRecipeMatchesTokensToo() throws IOException {
    Path other = reversed(SCRIPTURE);
    Path expected = folder.resolve("expected");
    merge(expected, DRAMA, SCRIPTURE);
    for (String source : List.of("base", "union", "model:" + DRAMA)) {
      Path recipe = folder.resolve("recipe.yaml");
      Files.writeString(
          recipe,
          """
          merge_method: linear
          base_model: %1$s
          models:
            - {model: %1$s, parameters: {weight: 0.6}}
            - {model: %2$s, parameters: {weight: 0.4}}
          tokenizer: {source: "%3$s"}
          """
              .formatted(DRAMA, other, source));
      Path out = folder.resolve("by-recipe" + source.length());
      smelt("merge", recipe, "-o", out, "--json").json();
      assertSame(expected, out);
      assertThat(read(out.resolve(TOKENIZER))).isEqualTo(read(DRAMA.resolve(TOKENIZER)));
      assertThat(smelt("merge", recipe, "--explain", "--json").json().toString())
          .contains("wte.weight");
    }
  }

  private static void assertSame(Path expected, Path found) {
    try (Checkpoint one = Checkpoint.open(expected);
        Checkpoint other = Checkpoint.open(found)) {
      assertThat(other.infos()).isEqualTo(one.infos());
      for (TensorView view : one.tensors()) {
        assertThat(other.tensor(view.name()).sameBits(view)).as(view.name()).isTrue();
      }
    }
  }

  private static double loss(Path model) {
    Path text = TESTDATA.resolve("text/drama.val.txt");
    return smelt("eval", model, "--data", text, "--seq-len", 64, "--samples", 8, "--json")
        .json()
        .path("loss")
        .doubleValue();
  }

  @Test
  void modelsOfUnlikeVocabulariesAreNotMergedRowByRow() throws IOException {
    Path other = reversed(SCRIPTURE);
    Path out = folder.resolve("none");
    smelt("merge", DRAMA, other, "--method", "linear", "-o", out)
        .refused(ExitCode.BAD_INPUT, "models with different vocabularies", "--tokenizer base");
    assertThat(out).doesNotExist();
  }

  @Test
  void aTokenizerNeedsAFolderAndStaysWhereItIs() throws IOException {
    Path other = reversed(SCRIPTURE);
    Path file = folder.resolve("merged.safetensors");
    smelt("merge", DRAMA, other, "--method", "linear", "--tokenizer", "union", "-o", file)
        .refused(ExitCode.USAGE, "a file has no tokenizer beside it");
    Path own = folder.resolve("own");
    TestCheckpoints.write(own.resolve(TOKENIZER), Files.readString(DRAMA.resolve(TOKENIZER)));
    Object[] words = {"merge", DRAMA, other, "--method", "linear", "--tokenizer", own, "-o", own};
    smelt(words).refused(ExitCode.USAGE, own.toString());
    smelt("merge", DRAMA, other, "--method", "linear", "--tokenizer", "unoin", "-o", "none")
        .refused(ExitCode.BAD_INPUT, "no tokenizer [unoin]", "give base, union");
    assertThat(file).doesNotExist();
    assertThat(own.resolve(TOKENIZER)).exists();
  }

  @Test
  void aTokenOfOneModelIsInTheUnion() throws IOException {
    Path other = withToken(SCRIPTURE);
    Path out = folder.resolve("union");
    smelt("merge", DRAMA, other, "--method", "linear", "-o", out)
        .refused(ExitCode.BAD_INPUT, "wte.weight", "--tokenizer union");
    JsonNode manifest = merge(out, DRAMA, other, "--tokenizer", "union");
    assertThat(manifest.path("notes").toString()).contains("tokens added from " + other + ": 1");
    JsonNode record =
        manifest
            .path("tensors")
            .valueStream()
            .filter(tensor -> tensor.path("name").asString().endsWith("wte.weight"))
            .findFirst()
            .orElseThrow();
    assertThat(record.path("bytesAfter").longValue() / (TOKENS + 1))
        .isEqualTo(record.path("bytesBefore").longValue() / TOKENS)
        .isPositive();
    try (Checkpoint merged = Checkpoint.open(out);
        Checkpoint donor = Checkpoint.open(other)) {
      assertThat(merged.config().orElseThrow().size("vocab_size")).isEqualTo(TOKENS + 1);
      TensorView table = table(merged);
      int width = (int) table.shape().size(1);
      double[] row = new double[width];
      double[] expected = new double[width];
      table.read((long) TOKENS * width, width, row);
      table(donor).read((long) TOKENS * width, width, expected);
      assertThat(row).containsExactly(expected);
    }
    assertThat(loss(out)).isBetween(1.0, 3.0);
    smelt("verify", out, "--against", DRAMA, "--against", other).done();
  }

  private static TensorView table(Checkpoint checkpoint) {
    return checkpoint.tensors().stream()
        .filter(view -> view.name().endsWith("wte.weight"))
        .findFirst()
        .orElseThrow();
  }

  /** The same model with one more token, whose row is that of another. */
  private Path withToken(Path model) throws IOException {
    List<TestTensor> tensors = new ArrayList<>();
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      for (TensorView view : checkpoint.tensors()) {
        boolean byToken = view.name().matches("(transformer\\.)?wte\\.weight|lm_head\\.weight");
        tensors.add(byToken ? withRow(TestTensors.of(view)) : TestTensors.of(view));
      }
    }
    ObjectNode tokenizer = (ObjectNode) read(model.resolve(TOKENIZER));
    ObjectNode token = tokenizer.withArrayProperty("added_tokens").addObject();
    token.put("id", TOKENS).put("content", "<|end|>").put("single_word", false);
    token.put("lstrip", false).put("rstrip", false).put("normalized", false).put("special", true);
    Path target = write(folder.resolve("more"), model, tokenizer, tensors);
    String config = Files.readString(model.resolve("config.json"));
    TestCheckpoints.write(
        target.resolve("config.json"),
        config
            .replace("\"vocab_size\": 256", "\"vocab_size\": 257")
            .getBytes(StandardCharsets.UTF_8));
    return target;
  }

  private static TestTensor withRow(TestTensor tensor) {
    byte[] from = tensor.bytes();
    int row = from.length / TOKENS;
    byte[] to = new byte[from.length + row];
    System.arraycopy(from, 0, to, 0, from.length);
    System.arraycopy(from, 5 * row, to, from.length, row);
    long width = tensor.shape().size(1);
    return new TestTensor(tensor.name(), tensor.dtype(), Shape.of(TOKENS + 1, width), to);
  }
}
