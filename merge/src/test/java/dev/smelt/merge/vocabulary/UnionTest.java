package dev.smelt.merge.vocabulary;

import static dev.smelt.merge.vocabulary.TestModels.EMBEDDING;
import static dev.smelt.merge.vocabulary.TestModels.column;
import static dev.smelt.merge.vocabulary.TestModels.llama;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Json;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Tokenizers that are written, and what the library makes of them. */
class UnionTest {

  private static final String PAIRS =
      "{'version': '1.0', 'added_tokens': [ADDED], 'pre_tokenizer': {'type': 'ByteLevel',"
          + " 'add_prefix_space': false, 'trim_offsets': true, 'use_regex': true},"
          + " 'decoder': {'type': 'ByteLevel', 'add_prefix_space': false, 'trim_offsets': true,"
          + " 'use_regex': true}, 'model': {'type': 'BPE', 'vocab': {VOCAB}, 'merges': [MERGES]}}";

  @TempDir private Path folder;

  private static String added(String content, int id) {
    return "{'id': "
        + id
        + ", 'content': '"
        + content
        + "', 'single_word': false, 'lstrip': false, 'rstrip': false, 'normalized': false,"
        + " 'special': true}";
  }

  /** Ids of pieces are their places. */
  private static String pairs(List<String> pieces, List<String> merges, String... added) {
    StringBuilder vocab = new StringBuilder();
    for (String piece : pieces) {
      vocab.append(vocab.isEmpty() ? "'" : ", '").append(piece).append("': ");
      vocab.append(pieces.indexOf(piece));
    }
    String list = merges.isEmpty() ? "" : "'" + String.join("', '", merges) + "'";
    return PAIRS
        .replace("ADDED", String.join(", ", added))
        .replace("VOCAB", vocab)
        .replace("MERGES", list)
        .replace('\'', '"');
  }

  private static TestModels model(TestModels models, String tokenizer, int rows) {
    return models
        .file("tokenizer.json", tokenizer)
        .model(llama(rows), column(EMBEDDING, new float[rows]));
  }

  /** What the library makes of a text with the output's files. */
  private int[] ids(Vocabularies output, String text) throws Exception {
    Path written = Files.createTempDirectory(folder, "written");
    TestCheckpoints.folder(written, llama(1), List.of(column(EMBEDDING, 1)));
    for (Path file : output.models().getFirst().sideFiles()) {
      Files.copy(file, written.resolve(String.valueOf(file.getFileName())));
    }
    output
        .texts()
        .forEach((name, content) -> TestCheckpoints.write(written.resolve(name), content));
    try (Checkpoint checkpoint = Checkpoint.open(written);
        Tokenizer tokenizer = Tokenizers.forCheckpoint(checkpoint)) {
      return tokenizer.encode(text);
    }
  }

  @Test
  void addedTokensOfAnotherModelAreFoundInText() throws Exception {
    List<String> pieces = List.of("a", "b", "ab");
    try (TestModels models = new TestModels(folder)) {
      model(models, pairs(pieces, List.of("a b"), added("<s>", 3)), 4);
      model(models, pairs(pieces, List.of("a b"), added("<t>", 3), added("<s>", 4)), 5);
      Vocabularies union = models.plan("union");
      assertThat(ids(union, "ab<t>a<s>b")).containsExactly(2, 4, 0, 3, 1);
      assertThat(union.rows()).isEqualTo(5);
    }
  }

  /** Why such files are refused. */
  @Test
  void theLibraryCountsOnFromThePieces() throws Exception {
    try (TestModels models = new TestModels(folder)) {
      model(models, pairs(List.of("a", "b"), List.of(), added("<s>", 2)), 4);
      model(models, pairs(List.of("a", "b"), List.of(), added("<s>", 3)), 4);
      try (Tokenizer next = Tokenizers.forCheckpoint(models.models().get(0));
          Tokenizer gap = Tokenizers.forCheckpoint(models.models().get(1))) {
        assertThat(next.encode("<s>")).containsExactly(2);
        assertThat(gap.encode("<s>")).containsExactly(2);
      }
      assertThatThrownBy(() -> models.plan("base"))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(models.folder(1).toString())
          .hasMessageContaining("'<s>' has 3, which is not the next one");
    }
  }

  @Test
  void piecesOfAnotherModelAreMadeByItsMerges() throws Exception {
    List<String> small = List.of("a", "b", "c", "ab");
    List<String> large = List.of("a", "b", "c", "ab", "abc", "cc");
    try (TestModels models = new TestModels(folder)) {
      model(models, pairs(small, List.of("a b"), added("<s>", 4)), 5);
      model(models, pairs(large, List.of("a b", "ab c", "c c"), added("<s>", 6)), 7);
      Vocabularies union = models.plan("union");
      // <s> keeps its id between the pieces.
      assertThat(ids(union, "abc<s>cc")).containsExactly(5, 4, 6);
      assertThat(ids(union, "abb")).containsExactly(3, 1);
      assertThat(union.notes())
          .anyMatch(note -> note.matches("merges of other models after .*: 2"));
      // The larger one alone says the same in its own ids.
      assertThat(ids(models.plan(models.folder(1).toString()), "abc<s>cc"))
          .containsExactly(4, 6, 5);
    }
  }

  @Test
  void mergesWhosePartsAreNoPiecesAreNotTaken() throws Exception {
    try (TestModels models = new TestModels(folder)) {
      model(models, pairs(List.of("a", "b"), List.of(), added("ab", 2)), 3);
      model(models, pairs(List.of("a", "b", "c", "ab", "abc"), List.of("a b", "ab c")), 5);
      Vocabularies union = models.plan("union");
      // ab is found in text first, so nothing is put together with it.
      assertThat(ids(union, "abc")).containsExactly(2, 3);
      assertThat(union.notes())
          .anyMatch(note -> note.matches("merges of other models after .*: 0"));
    }
  }

  @Test
  void aTokenThatAnotherModelFindsInTextKeepsItsId() throws Exception {
    try (TestModels models = new TestModels(folder)) {
      model(models, pairs(List.of("a", "<t>", "<", "t", ">"), List.of()), 5);
      model(models, pairs(List.of("a", "<", "t", ">"), List.of(), added("<t>", 4)), 5);
      assertThat(ids(models.plan("base"), "a<t>")).containsExactly(0, 2, 3, 4);
      assertThat(ids(models.plan("union"), "a<t>")).containsExactly(0, 1);
    }
  }

  @Test
  void wordPiecesOfLinesStayLines() throws Exception {
    String bert = "{\"model_type\": \"bert\", \"vocab_size\": 5}";
    String table = "embeddings.word_embeddings.weight";
    try (TestModels models = new TestModels(folder)) {
      models
          .file("vocab.txt", "[UNK]\n[CLS]\n[SEP]\nplay\n##s")
          .model(bert, column(table, 0, 1, 2, 3, 4));
      models
          .file("vocab.txt", "[UNK]\n[CLS]\n[SEP]\n##ing\nplay\n")
          .model(bert, column(table, 0, 1, 2, 30, 40));
      Vocabularies union = models.plan("union");
      assertThat(union.texts().get("vocab.txt"))
          .isEqualTo("[UNK]\n[CLS]\n[SEP]\nplay\n##s\n##ing\n");
      assertThat(ids(union, "plays playing")).containsExactly(3, 4, 3, 5);
      assertThat(union.models().get(1).tensor(table).toFloats())
          .containsExactly(0, 1, 2, 40, 4, 30);
    }
  }

  @Test
  void aTokenThatIsAddedByHandIsFoundInText() throws Exception {
    Map<String, TokenRow> tokens =
        Map.of("<new>", new TokenRow(Optional.of(new TokenRow.Source.Zero()), false));
    TokenizerRequest request =
        new TokenizerRequest(
            new TokenizerRequest.Source.Base(), new LinkedHashMap<>(tokens), OptionalInt.empty());
    try (TestModels models = new TestModels(folder)) {
      model(models, pairs(List.of("a", "b"), List.of()), 2);
      Vocabularies output = models.plan(request, OptionalInt.empty());
      assertThat(ids(output, "a<new>b")).containsExactly(0, 2, 1);
      assertThat(output.rows()).isEqualTo(3);
    }
  }

  @Test
  void scoresOfPiecesComeAlong() throws Exception {
    String first =
        "{'version': '1.0', 'added_tokens': [], 'model': {'type': 'Unigram', 'unk_id': 0,"
            + " 'vocab': [['<unk>', 0], ['a', -1], ['b', -1]]}}";
    String second =
        "{'version': '1.0', 'added_tokens': [], 'model': {'type': 'Unigram', 'unk_id': 0,"
            + " 'vocab': [['<unk>', 0], ['ab', -1.5], ['ba', -9]]}}";
    try (TestModels models = new TestModels(folder)) {
      model(models, first.replace('\'', '"'), 3);
      model(models, second.replace('\'', '"'), 3);
      // −1.5 is more than −1 − 1; −9 is less.
      assertThat(ids(models.plan("union"), "ab")).containsExactly(3);
      assertThat(ids(models.plan("union"), "ba")).containsExactly(2, 1);
    }
  }

  @Test
  void allFilesOfATokenizerSayTheSame() {
    List<String> small = List.of("a", "b");
    List<String> large = List.of("a", "b", "ab");
    try (TestModels models = new TestModels(folder)) {
      models
          .file("vocab.json", "{\"a\": 0, \"b\": 1}")
          .file("merges.txt", "#version: 0.2")
          .file("added_tokens.json", "{\"<s>\": 2}")
          .file("tokenizer.model", "binary")
          .file("special_tokens_map.json", "{\"eos_token\": \"<s>\"}")
          .file("README.md", "text")
          .file(
              "tokenizer_config.json",
              "{\"x\": 1, \"added_tokens_decoder\": {\"2\": {\"content\": \"<s>\"}}}");
      model(models, pairs(small, List.of(), added("<s>", 2)), 3);
      model(models, pairs(large, List.of("a b"), added("<s>", 3), added("<t>", 4)), 5);
      Vocabularies union = models.plan("union");
      Map<String, String> texts = union.texts();
      assertThat(texts.keySet())
          .containsExactlyInAnyOrder(
              "tokenizer.json",
              "tokenizer_config.json",
              "vocab.json",
              "merges.txt",
              "added_tokens.json");
      assertThat(texts.get("merges.txt")).isEqualTo("#version: 0.2\na b\n");
      assertThat(json(texts, "added_tokens.json").toString()).isEqualTo("{\"<s>\":2,\"<t>\":4}");
      assertThat(json(texts, "vocab.json").path("ab").intValue()).isEqualTo(3);
      JsonNode config = json(texts, "tokenizer_config.json");
      assertThat(config.path("x").intValue()).isEqualTo(1);
      JsonNode token = config.path("added_tokens_decoder").path("4");
      assertThat(token.path("content").asString()).isEqualTo("<t>");
      assertThat(token.path("special").booleanValue()).isTrue();
      assertThat(union.models().getFirst().sideFiles())
          .extracting(file -> String.valueOf(file.getFileName()))
          .contains("special_tokens_map.json", "README.md")
          .doesNotContain("tokenizer.model");
      assertThat(union.notes()).anyMatch(note -> note.contains("tokenizer.model is left out"));
    }
  }

  private static JsonNode json(Map<String, String> texts, String name) {
    return Json.parse(texts.getOrDefault(name, "").getBytes(StandardCharsets.UTF_8), name);
  }

  @Test
  void idsInConfigsFollowTheirTokens() {
    String first =
        "{\"model_type\": \"llama\", \"vocab_size\": 3, \"eos_token_id\": [2, 0],"
            + " \"pad_token_id\": null, \"bos_token_id\": 1}";
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", TestModels.words("a", "b", "c"))
          .file("generation_config.json", "{\"eos_token_id\": 2, \"top_k\": 5}")
          .model(first, column(EMBEDDING, 1, 2, 3));
      models.model(new String[] {"c", "b", "d", "a"}, 1, 2, 3, 4);
      models.model(new String[] {"c", "b"}, 1, 2);
      Checkpoint output = models.plan(models.folder(1).toString()).models().getFirst();
      assertThat(output.config().orElseThrow().get("eos_token_id").toString()).isEqualTo("[0,3]");
      assertThat(output.config().orElseThrow().get("bos_token_id").intValue()).isEqualTo(1);
      assertThat(output.config().orElseThrow().get("pad_token_id").isNull()).isTrue();
      assertThat(output.config().orElseThrow().size("vocab_size")).isEqualTo(4);
      Map<String, String> texts = ((VocabularyModel) output).vocabularies().texts();
      JsonNode generation = json(texts, "generation_config.json");
      assertThat(generation.path("eos_token_id").intValue()).isZero();
      assertThat(generation.path("top_k").intValue()).isEqualTo(5);
      assertThatThrownBy(() -> models.plan(models.folder(2).toString()))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("eos_token_id")
          .hasMessageContaining("found 0, which is 'a'");
    }
  }

  @Test
  void idsInOtherShapesAreRefused() {
    try (TestModels models = new TestModels(folder)) {
      models
          .file("generation_config.json", "{\"suppress_tokens\": [1]}")
          .model(new String[] {"a", "b"}, 1, 2);
      models.model(new String[] {"b", "a"}, 1, 2);
      assertThat(models.plan("base").texts()).isEmpty();
      assertThatThrownBy(() -> models.plan(models.folder(1).toString()))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining("suppress_tokens");
    }
  }

  @Test
  void tokensOfUnlikeSpellingsAreNotMatched() {
    try (TestModels models = new TestModels(folder)) {
      model(models, pairs(List.of("a", "b"), List.of()), 2);
      models.model(new String[] {"a", "b"}, 1, 2);
      for (String source : new String[] {"base", "union"}) {
        assertThatThrownBy(() -> models.plan(source))
            .isInstanceOf(MismatchException.class)
            .hasMessageContaining("expected bytes as letters")
            .hasMessageContaining("found plain letters")
            .hasMessageContaining(models.folder(1).toString());
      }
    }
  }

  @Test
  void piecesOfAnotherTypeOfTokenizerAreRefused() {
    String unigram = "{'model': {'type': 'Unigram', 'vocab': [['a', 0], ['c', -1]]}}";
    try (TestModels models = new TestModels(folder)) {
      models.model(new String[] {"a", "b"}, 1, 2);
      model(models, unigram.replace('\'', '"'), 2);
      assertThatThrownBy(() -> models.plan("union"))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("expected WordLevel")
          .hasMessageContaining("found Unigram");
      // Rows can be matched all the same.
      assertThat(models.plan("base").rows()).isEqualTo(2);
    }
  }

  @Test
  void aTokenizerInPartsCannotBeExtended() {
    try (TestModels models = new TestModels(folder)) {
      models
          .file("vocab.json", "{\"a\": 0}")
          .file("merges.txt", "#version: 0.2\n")
          .model(llama(1), column(EMBEDDING, 1));
      model(models, pairs(List.of("a", "b"), List.of()), 2);
      assertThat(models.plan("base").rows()).isEqualTo(1);
      assertThatThrownBy(() -> models.plan("union"))
          .isInstanceOf(UnsupportedException.class)
          .hasMessageContaining("vocab.json")
          .hasMessageContaining("save the tokenizer as tokenizer.json");
    }
  }
}
