package dev.smelt.gpu.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class TokenizersTest {

  private static final int MAX = 64;

  @TempDir private Path folder;

  private static Tokenizer of(Path model) {
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      return Tokenizers.forCheckpoint(checkpoint);
    }
  }

  private Path model(int vocabulary) {
    return TestCheckpoints.folder(
        folder,
        "{\"model_type\": \"gpt2\", \"vocab_size\": " + vocabulary + "}",
        List.of(TestTensors.f32("x", Shape.of(1), 1)));
  }

  private Path bert(String... vocabulary) throws IOException {
    Path model = model(vocabulary.length);
    Files.write(model.resolve("vocab.txt"), List.of(vocabulary));
    return model;
  }

  @Test
  void agreesWithTheGoldenWordPieces() throws IOException {
    Path golden = TestData.path("golden/tokens.json");
    JsonNode entries = Json.parse(Files.readAllBytes(golden), golden.toString());
    assertThat(entries.size()).isGreaterThan(10);
    try (Tokenizer tokenizer = of(TestData.path("bert-base"))) {
      assertThat(tokenizer.description()).isEqualTo("vocab.txt");
      for (JsonNode entry : entries) {
        int[] expected =
            entry.get("whole_words_ids").valueStream().mapToInt(JsonNode::intValue).toArray();
        Tokenizer.Sequence found =
            tokenizer.encode(entry.get("text").asString(), Optional.empty(), MAX);
        assertThat(found.tokens()).as(entry.get("text").asString()).isEqualTo(expected);
        assertThat(found.segments()).containsOnly(0);
      }
    }
  }

  @Test
  void readsBytesThroughTokenizerJson() {
    String text = "Once — upon\n\n a tïme…\u0000 😀";
    try (Tokenizer library = of(TestData.path("gpt2-drama"));
        Tokenizer bytes = new ByteTokenizer()) {
      assertThat(library.description()).isEqualTo("tokenizer.json");
      assertThat(library.encode(text)).isEqualTo(bytes.encode(text));
    }
  }

  @Test
  void cutsNoTextUnlessAsked() {
    String text = "all work and no play ".repeat(500);
    try (Tokenizer library = of(TestData.path("gpt2-drama"))) {
      assertThat(library.encode(text)).hasSize(text.length());
      Tokenizer.Sequence cut = library.encode(text, Optional.empty(), 100);
      assertThat(cut.truncated()).isTrue();
      assertThat(cut.tokens()).isEqualTo(Arrays.copyOf(library.encode(text), 100));
      assertThat(library.encode("short", Optional.empty(), 100).truncated()).isFalse();
    }
  }

  @Test
  void readsBytesWithoutAnyTokenizer() {
    try (Tokenizer tokenizer = of(model(256))) {
      assertThat(tokenizer.description()).isEqualTo("byte-level");
      assertThat(tokenizer.encode("aé")).containsExactly(0x61, 0xc3, 0xa9);
      Tokenizer.Sequence pair = tokenizer.encode("abcd", Optional.of("ef"), 5);
      assertThat(pair.tokens()).containsExactly('a', 'b', 'c', 'e', 'f');
      assertThat(pair.segments()).containsExactly(0, 0, 0, 1, 1);
      assertThat(pair.truncated()).isTrue();
    }
  }

  @Test
  void putsSpecialTokensAroundPairsAndKeepsThemWhenCutting() throws IOException {
    Path model = bert("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "##c", "d");
    try (Tokenizer tokenizer = of(model)) {
      assertThat(tokenizer.encode("a bc")).containsExactly(4, 5, 6);
      Tokenizer.Sequence pair = tokenizer.encode("A bc zz", Optional.of("d"), 16);
      assertThat(pair.tokens()).containsExactly(2, 4, 5, 6, 1, 3, 7, 3);
      assertThat(pair.segments()).containsExactly(0, 0, 0, 0, 0, 0, 1, 1);
      assertThat(pair.truncated()).isFalse();
      Tokenizer.Sequence cut = tokenizer.encode("a b d a b d", Optional.of("d"), 6);
      assertThat(cut.tokens()).containsExactly(2, 4, 5, 3, 7, 3);
      assertThat(cut.truncated()).isTrue();
      assertThat(tokenizer.encode("a b d", Optional.empty(), 4).tokens())
          .containsExactly(2, 4, 5, 3);
    }
  }

  @Test
  void honoursDoLowerCase() throws IOException {
    Path model = bert("[UNK]", "[CLS]", "[SEP]", "a", "A", "e");
    try (Tokenizer lower = of(model)) {
      assertThat(lower.encode("a A É")).containsExactly(3, 3, 5);
    }
    Files.writeString(model.resolve("tokenizer_config.json"), "{\"do_lower_case\": false}");
    try (Tokenizer cased = of(model)) {
      assertThat(cased.encode("a A É")).containsExactly(3, 4, 0);
    }
  }

  @Test
  void keepsWordsWholeThatTheVocabularyHoldsUncut() throws IOException {
    Path model = bert("[UNK]", "[CLS]", "[SEP]", "do", "n", "'", "t", "n't", "[unused1]", "##n");
    try (Tokenizer tokenizer = of(model)) {
      assertThat(tokenizer.encode("do n't")).containsExactly(3, 7);
      assertThat(tokenizer.encode("don't")).containsExactly(3, 9, 5, 6);
    }
  }

  @Test
  void namesTheTokenizerFilesThatItCannotUse() throws IOException {
    Path model = model(256);
    Files.writeString(model.resolve("vocab.json"), "{}");
    assertThatThrownBy(() -> of(model))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("expected tokenizer.json or vocab.txt")
        .hasMessageContaining("vocab.json");
  }

  @Test
  void refusesLargeVocabulariesWithoutATokenizer() {
    assertThatThrownBy(() -> of(model(257)))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("found none");
  }

  @Test
  void refusesBrokenTokenizerFiles() throws IOException {
    Path model = model(256);
    Files.writeString(model.resolve("tokenizer.json"), "{\"version\": \"1.0\"}");
    assertThatThrownBy(() -> of(model))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("tokenizer.json");
  }

  @Test
  void refusesBrokenVocabularies() throws IOException {
    Path incomplete = bert("[UNK]", "[CLS]", "a");
    assertThatThrownBy(() -> of(incomplete))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("[SEP]");
    Path twice = bert("[UNK]", "[CLS]", "[SEP]", "a", "b", "a");
    assertThatThrownBy(() -> of(twice))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("vocab.txt:6")
        .hasMessageContaining("line 4");
  }
}
