package dev.smelt.formats.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Json;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.tokenizer.Extension.Piece;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Tokenizers that get more tokens. */
class ExtensionTest {

  private static final JsonNode NONE = Json.tree(0);

  private static TokenizerFile parse(String json) {
    return TokenizerFile.parse(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8), "file");
  }

  private static JsonNode tree(TokenizerFile file) {
    return Json.parse(file.toJson().getBytes(StandardCharsets.UTF_8), "file");
  }

  @Test
  void nothingMoreIsTheSameFile() {
    TokenizerFile file = parse("{'model': {'type': 'WordLevel', 'vocab': {'a': 0}}}");
    Extension nothing = new Extension(List.of(), List.of(), List.of());
    assertThat(nothing.of(file)).isSameAs(file);
  }

  @Test
  void addedTokensAreListedByIdAndNoPieces() {
    TokenizerFile file =
        parse(
            "{'x': 1, 'model': {'type': 'BPE', 'vocab': {'a': 0}, 'merges': []},"
                + " 'added_tokens': [{'id': 1, 'content': '<s>'}]}");
    Extension extension = new Extension(List.of(), List.of(AddedToken.plain("<t>", 2)), List.of());
    TokenizerFile more = extension.of(file);
    assertThat(more.vocabulary().ids()).isEqualTo(Map.of("a", 0, "<s>", 1, "<t>", 2));
    assertThat(more.pieces().ids()).isEqualTo(Map.of("a", 0));
    assertThat(tree(more).path("x").intValue()).isEqualTo(1);
    assertThat(file.vocabulary().size()).isEqualTo(2);
  }

  @Test
  void piecesAfterAddedTokensFixTheIdsOfThese() {
    TokenizerFile file =
        parse(
            "{'model': {'type': 'BPE', 'vocab': {'a': 0, 'b': 1}, 'merges': []},"
                + " 'added_tokens': [{'id': 2, 'content': '<s>'}]}");
    Extension extension =
        new Extension(List.of(new Piece("ab", 3, NONE)), List.of(), List.of(new Merge("a", "b")));
    TokenizerFile more = extension.of(file);
    assertThat(more.vocabulary().ids()).isEqualTo(Map.of("a", 0, "b", 1, "<s>", 2, "ab", 3));
    assertThat(more.pieces().ids()).containsEntry("<s>", 2);
    more.requireStableIds();
    assertThat(more.merges()).containsExactly(new Merge("a", "b"));
    assertThat(tree(more).path("model").path("merges").path(0).asString()).isEqualTo("a b");
  }

  @Test
  void mergesKeepTheFormOfTheFile() {
    String start = "{'model': {'type': 'BPE', 'vocab': {'a': 0, 'b': 1, 'ab': 2}, 'merges': ";
    Extension extension =
        new Extension(List.of(new Piece("aba", 3, NONE)), List.of(), List.of(new Merge("ab", "a")));
    JsonNode pairs =
        tree(extension.of(parse(start + "[['a', 'b']]}}"))).path("model").path("merges");
    assertThat(pairs.path(1).path(0).asString()).isEqualTo("ab");
    assertThat(pairs.path(1).path(1).asString()).isEqualTo("a");
    JsonNode lines = tree(extension.of(parse(start + "['a b']}}"))).path("model").path("merges");
    assertThat(lines.path(1).asString()).isEqualTo("ab a");
  }

  @Test
  void tokensWithBlanksMakePairsOfLines() {
    Extension extension =
        new Extension(List.of(new Piece("a ", 3, NONE)), List.of(), List.of(new Merge("a", " ")));
    TokenizerFile file =
        parse("{'model': {'type': 'BPE', 'vocab': {'a': 0, ' ': 1, 'aa': 2}, 'merges': ['a a']}}");
    assertThat(extension.of(file).merges())
        .containsExactly(new Merge("a", "a"), new Merge("a", " "));
  }

  @Test
  void aListHoldsAddedTokensThatLieBetween() {
    TokenizerFile file =
        parse(
            "{'model': {'type': 'Unigram', 'vocab': [['a', -1.5]]},"
                + " 'added_tokens': [{'id': 1, 'content': '<s>'}]}");
    JsonNode score = Json.tree(new BigDecimal("-2.50"));
    Extension extension = new Extension(List.of(new Piece("b", 2, score)), List.of(), List.of());
    TokenizerFile more = extension.of(file);
    assertThat(more.pieces().ids()).isEqualTo(Map.of("a", 0, "<s>", 1, "b", 2));
    assertThat(more.score(2).decimalValue()).isEqualByComparingTo("-2.5");
    more.requireStableIds();
  }

  @Test
  void aListCannotHaveGaps() {
    TokenizerFile file = parse("{'model': {'type': 'Unigram', 'vocab': [['a', 0]]}}");
    Extension extension = new Extension(List.of(new Piece("b", 2, NONE)), List.of(), List.of());
    assertThatThrownBy(() -> extension.of(file))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("expected 1 for 'b', found 2");
  }
}
