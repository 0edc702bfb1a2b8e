package dev.smelt.formats.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UnsupportedException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read from a tokenizer.json, and what is refused. */
class TokenizerFileTest {

  private static final String WHERE = "folder/tokenizer.json";

  private static TokenizerFile parse(String json) {
    return TokenizerFile.parse(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8), WHERE);
  }

  @Test
  void aMapOfTokensAndAddedOnes() {
    TokenizerFile file =
        parse(
            "{'model': {'type': 'BPE', 'vocab': {'b': 1, 'a': 0, 'ab': 2},"
                + " 'merges': ['a b']},"
                + " 'added_tokens': [{'id': 3, 'content': '<s>', 'special': true},"
                + " {'id': 1, 'content': 'b', 'special': false, 'lstrip': true}]}");
    assertThat(file.model()).isEqualTo(TokenModel.BPE);
    assertThat(List.copyOf(file.vocabulary().ids().sequencedKeySet()))
        .containsExactly("a", "b", "ab", "<s>");
    assertThat(file.pieces().size()).isEqualTo(3);
    assertThat(file.vocabulary().end()).isEqualTo(4);
    assertThat(file.added())
        .containsExactly(
            new AddedToken("<s>", 3, false, false, false, false, true),
            new AddedToken("b", 1, false, true, false, true, false));
    assertThat(file.merges()).containsExactly(new Merge("a", "b"));
  }

  @Test
  void aListOfTokensWithScores() {
    TokenizerFile file =
        parse("{'model': {'type': 'Unigram', 'vocab': [['<unk>', 0], ['a', -1.25]]}}");
    assertThat(file.vocabulary().ids()).isEqualTo(Map.of("<unk>", 0, "a", 1));
    assertThat(file.score(1).decimalValue()).isEqualByComparingTo("-1.25");
    assertThat(file.merges()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"WordPiece,WORD_PIECE", "WordLevel,WORD_LEVEL"})
  void otherMaps(String type, TokenModel model) {
    TokenizerFile file = parse("{'model': {'type': '" + type + "', 'vocab': {'a': 0}}}");
    assertThat(file.model()).isEqualTo(model);
    assertThat(file.vocabulary().ids()).isEqualTo(Map.of("a", 0));
  }

  @Test
  void oldFilesDoNotNameTheirType() {
    assertThat(parse("{'model': {'vocab': {'a': 0}, 'merges': []}}").model())
        .isEqualTo(TokenModel.BPE);
    assertThat(parse("{'model': {'vocab': [['a', 0]]}}").model()).isEqualTo(TokenModel.UNIGRAM);
  }

  @Test
  void mergesOfBothForms() {
    TokenizerFile file =
        parse(
            "{'model': {'type': 'BPE', 'vocab': {'a': 0, 'b c': 1, 'ab c': 2},"
                + " 'merges': [['a', 'b c']]}}");
    assertThat(file.merges()).containsExactly(new Merge("a", "b c"));
    assertThat(new Merge("play", "##ing").made("##")).isEqualTo("playing");
    assertThat(new Merge("a", "b").made("")).isEqualTo("ab");
  }

  @Test
  void theFirstDifferenceOfTwoVocabularies() {
    Vocabulary one = Vocabulary.of(Map.of("a", 0, "b", 1, "c", 5), WHERE);
    Vocabulary other = Vocabulary.of(Map.of("a", 0, "b", 1, "d", 5), WHERE);
    Vocabulary longer = Vocabulary.of(Map.of("a", 0, "b", 1, "c", 5, "e", 6), WHERE);
    assertThat(one.firstDifference(one, 10)).isEmpty();
    assertThat(one.firstDifference(other, 10)).isEqualTo(OptionalInt.of(5));
    assertThat(one.firstDifference(other, 5)).isEmpty();
    assertThat(one.firstDifference(longer, 10)).isEqualTo(OptionalInt.of(6));
    assertThat(one.firstDifference(longer, 6)).isEmpty();
    assertThat(one.token(2)).isEmpty();
    assertThat(one.end()).isEqualTo(6);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'model': {'type': 'BPE', 'vocab': {'a': 0, 'b': 0}, 'merges': []}}",
        "{'model': {'type': 'BPE', 'vocab': {'a': 0, 'a': 1}, 'merges': []}}",
        "{'model': {'type': 'BPE', 'vocab': {'a': -1}, 'merges': []}}",
        "{'model': {'type': 'BPE', 'vocab': {'a': 1.5}, 'merges': []}}",
        "{'model': {'type': 'BPE', 'vocab': {'a': '1'}, 'merges': []}}",
        "{'model': {'type': 'BPE', 'vocab': [['a', 0]], 'merges': []}}",
        "{'model': {'type': 'BPE'}}",
        "{'model': {'type': 'Unigram', 'vocab': {'a': 0}}}",
        "{'model': {'type': 'Unigram', 'vocab': [['a', 0], ['a', 1]]}}",
        "{'model': {'type': 'Unigram', 'vocab': [['a']]}}",
        "{'model': {'type': 'Unigram', 'vocab': ['a']}}",
        "{'model': {'type': 'WordLevel', 'vocab': {'a': 0}},"
            + " 'added_tokens': [{'id': 0, 'content': 'b'}]}",
        "{'model': {'type': 'WordLevel', 'vocab': {'a': 0}},"
            + " 'added_tokens': [{'id': 1, 'content': 'a'}]}",
        "{'model': {'type': 'WordLevel', 'vocab': {'a': 0}}, 'added_tokens': [{'id': 1}]}",
        "{'model': {'type': 'WordLevel', 'vocab': {'a': 0}}, 'added_tokens': [{'content': 'b'}]}",
        "{'model': {'type': 'WordLevel', 'vocab': {'a': 0}},"
            + " 'added_tokens': [{'id': 1, 'content': 'b', 'lstrip': 'no'}]}",
        "[]",
        "{'model': {'type': 'BPE', 'vocab': {'a': 0}, 'merges': []}"
      })
  void contradictionsAreRefused(String json) {
    assertThatThrownBy(() -> parse(json))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining(WHERE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"['a b c']", "['ab']", "[' a']", "['a ']", "[['a']]", "[['a', 1]]", "[3]"})
  void brokenMergesAreRefused(String merges) {
    TokenizerFile file =
        parse("{'model': {'type': 'BPE', 'vocab': {'a': 0}, 'merges': " + merges + "}}");
    assertThatThrownBy(file::merges)
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining("merge that is not two tokens");
  }

  @Test
  void unknownTypesAreRefusedByName() {
    assertThatThrownBy(() -> parse("{'model': {'type': 'Morse', 'vocab': {'a': 0}}}"))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContaining("'Morse'");
    assertThatThrownBy(() -> parse("{}")).isInstanceOf(UnsupportedException.class);
  }

  @Test
  void aGapBeforeAddedTokensIsReadAsAnotherIdByTheLibrary() {
    String pieces = "'model': {'type': 'WordLevel', 'vocab': {'a': 0, 'b': 1}}";
    parse("{" + pieces + ", 'added_tokens': [{'id': 2, 'content': 'c'}]}").requireStableIds();
    parse("{" + pieces + ", 'added_tokens': [{'id': 0, 'content': 'a'}]}").requireStableIds();
    TokenizerFile gap = parse("{" + pieces + ", 'added_tokens': [{'id': 3, 'content': 'c'}]}");
    assertThatThrownBy(gap::requireStableIds)
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("'c' has 3");
  }

  @Test
  void spellings() {
    assertThat(
            parse("{'pre_tokenizer': {'type': 'ByteLevel'}, 'model': {'type': 'BPE', 'vocab': {}}}")
                .spelling())
        .isEqualTo(Spelling.BYTES);
    assertThat(
            parse(
                    "{'normalizer': {'type': 'Sequence', 'normalizers':"
                        + " [{'type': 'Prepend', 'prepend': '\u2581'}]},"
                        + " 'model': {'type': 'BPE', 'vocab': {}}}")
                .spelling())
        .isEqualTo(new Spelling(false, true, "", ""));
    assertThat(
            parse(
                    "{'model': {'type': 'WordPiece', 'continuing_subword_prefix': '##',"
                        + " 'vocab': {}}}")
                .spelling())
        .isEqualTo(Spelling.WORD_PIECES);
  }
}
