package dev.smelt.merge.vocabulary;

import static dev.smelt.merge.vocabulary.TestModels.EMBEDDING;
import static dev.smelt.merge.vocabulary.TestModels.column;
import static dev.smelt.merge.vocabulary.TestModels.llama;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.MismatchException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models that are merged row by row have to have one vocabulary. */
class VocabularyCheckTest {

  private static final String[] AB = {"a", "b"};

  @TempDir private Path folder;

  private static void requireOne(TestModels models) {
    VocabularyCheck.requireOneVocabulary(models.models());
  }

  private static void assertFine(TestModels models) {
    assertThatCode(() -> requireOne(models)).doesNotThrowAnyException();
  }

  @Test
  void otherTokensInAsManyRowsAreRefused() {
    try (TestModels models = new TestModels(folder)) {
      models.model(AB, 1, 2).model(AB, 3, 4).model(new String[] {"a", "c"}, 5, 6);
      assertThatThrownBy(() -> requireOne(models))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(models.folder(2).toString())
          .hasMessageContaining("expected 'b' at 1")
          .hasMessageContaining("found 'c' at 1")
          .hasMessageContaining("--tokenizer");
    }
  }

  @Test
  void aTokenInARowThatTheOtherDoesNotUseIsRefused() {
    try (TestModels models = new TestModels(folder)) {
      models.model(AB, 1, 2, 3).model(new String[] {"a", "b", "c"}, 4, 5, 6);
      assertThatThrownBy(() -> requireOne(models))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("expected no token 2")
          .hasMessageContaining("found 'c' at 2");
    }
  }

  @Test
  void theSameTokensInAnotherFileAreFine() {
    try (TestModels models = new TestModels(folder)) {
      models.model(AB, 1, 2).file("vocab.json", "{\"b\": 1, \"a\": 0}");
      models.model(llama(2), column(EMBEDDING, 1, 2));
      assertFine(models);
    }
  }

  @Test
  void modelsWithoutTokenizersAndOfOtherSizesAreNotLookedAt() {
    try (TestModels models = new TestModels(folder)) {
      models.model(AB, 1, 2).model(llama(2), column(EMBEDDING, 1, 2));
      models.model(new String[] {"b", "a", "c"}, 1, 2, 3);
      assertFine(models);
    }
  }

  @Test
  void matchedRowsAreFine() {
    try (TestModels models = new TestModels(folder)) {
      models.model(AB, 1, 2).model(new String[] {"b", "a"}, 1, 2);
      Vocabularies matched = models.plan("base");
      assertThatCode(() -> VocabularyCheck.requireOneVocabulary(matched.models()))
          .doesNotThrowAnyException();
    }
  }
}
