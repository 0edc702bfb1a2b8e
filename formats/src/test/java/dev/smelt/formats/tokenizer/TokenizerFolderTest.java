package dev.smelt.formats.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.testing.TestCheckpoints;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which file a vocabulary is read from, and files that disagree. */
class TokenizerFolderTest {

  @TempDir private Path folder;

  private final List<Path> files = new ArrayList<>();

  private void write(String name, String text) {
    files.add(TestCheckpoints.write(folder.resolve(name), text.replace('\'', '"')));
  }

  private Map<String, Integer> ids() {
    return TokenizerFolder.of(files).orElseThrow().vocabulary().ids();
  }

  @Test
  void noneAtAll() {
    write("tokenizer.model", "");
    assertThat(TokenizerFolder.of(files)).isEmpty();
  }

  @Test
  void linesAreIds() {
    write("vocab.txt", "[PAD]\r\n##s\n\u2028\nlast");
    assertThat(ids()).isEqualTo(Map.of("[PAD]", 0, "##s", 1, "\u2028", 2, "last", 3));
    assertThat(TokenizerFolder.of(files).orElseThrow().spelling()).contains(Spelling.WORD_PIECES);
  }

  @Test
  void aLastLineMayEnd() {
    write("vocab.txt", "a\nb\n");
    assertThat(ids()).isEqualTo(Map.of("a", 0, "b", 1));
  }

  @Test
  void aLineTwiceIsRefused() {
    write("vocab.txt", "a\nb\na\n");
    assertThatThrownBy(this::ids)
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("vocab.txt:3")
        .hasMessageContaining("'a' is also on line 1");
  }

  @Test
  void otherEncodingsAreRefused() {
    files.add(
        TestCheckpoints.write(folder.resolve("vocab.txt"), new byte[] {'a', '\n', (byte) 0xE4}));
    assertThatThrownBy(this::ids)
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("UTF-8");
  }

  @Test
  void aMapHasAddedTokensBesideIt() {
    write("vocab.json", "{'a': 0, 'b': 1}");
    write("merges.txt", "#version: 0.2\n");
    write("added_tokens.json", "{'<x>': 2}");
    assertThat(ids()).isEqualTo(Map.of("a", 0, "b", 1, "<x>", 2));
    assertThat(TokenizerFolder.of(files).orElseThrow().spelling()).contains(Spelling.BYTES);
  }

  @Test
  void addedTokensMustAgreeWithTheMap() {
    write("vocab.json", "{'a': 0, 'b': 1}");
    write("added_tokens.json", "{'b': 2}");
    assertThatThrownBy(this::ids)
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("'b' has 2, but 1");
  }

  @Test
  void theLibrarysFileGoesFirst() {
    write("vocab.txt", "x\n");
    write("vocab.json", "{'y': 0}");
    write("tokenizer.json", "{'model': {'type': 'WordLevel', 'vocab': {'a': 0}}}");
    assertThat(ids()).isEqualTo(Map.of("a", 0));
  }

  @Test
  void tokensOfTheConfigMustBeInTheVocabulary() {
    write("tokenizer.json", "{'model': {'type': 'WordLevel', 'vocab': {'a': 0, '<s>': 1}}}");
    write("tokenizer_config.json", "{'added_tokens_decoder': {'1': {'content': '<s>'}}}");
    TokenizerFolder.of(files).orElseThrow().requireAgreement(files);
    write("added_tokens.json", "{'<t>': 2}");
    assertThatThrownBy(() -> TokenizerFolder.of(files).orElseThrow().requireAgreement(files))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("'<t>' has 2, but is not in");
  }

  @Test
  void tokensOfTheConfigMustHaveTheSameIds() {
    write("tokenizer.json", "{'model': {'type': 'WordLevel', 'vocab': {'a': 0, '<s>': 1}}}");
    write("tokenizer_config.json", "{'added_tokens_decoder': {'7': {'content': '<s>'}}}");
    assertThatThrownBy(() -> TokenizerFolder.of(files).orElseThrow().requireAgreement(files))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("tokenizer_config.json")
        .hasMessageContaining("'<s>' has 7, but has 1 in");
  }
}
