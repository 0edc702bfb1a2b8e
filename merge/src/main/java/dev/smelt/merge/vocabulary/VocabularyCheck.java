package dev.smelt.merge.vocabulary;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.tokenizer.TokenizerFolder;
import dev.smelt.formats.tokenizer.Vocabulary;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Whether rows of one number are of one token in models that are merged as they are. */
public final class VocabularyCheck {

  private VocabularyCheck() {}

  /**
   * Compares the models that have a tokenizer and as many rows as the first one. Files of the same
   * bytes are not looked into.
   *
   * @throws MismatchException at the first row that has another token, or a token in one model only
   */
  public static void requireOneVocabulary(List<Checkpoint> models) {
    Checkpoint first = models.getFirst();
    Optional<Path> expected = source(first);
    long rows = rows(first);
    for (Checkpoint model : models.subList(1, models.size())) {
      Optional<Path> found = source(model);
      boolean comparable = expected.isPresent() && found.isPresent() && rows == rows(model);
      if (comparable && !sameBytes(expected.get(), found.get())) {
        requireSame(first, model, rows);
      }
    }
  }

  /** None, where rows are already matched by token. */
  private static Optional<Path> source(Checkpoint model) {
    return model instanceof VocabularyModel
        ? Optional.empty()
        : TokenizerFolder.source(model.sideFiles());
  }

  private static long rows(Checkpoint model) {
    List<TensorView> matrices = ModelVocabulary.matrices(model);
    return matrices.isEmpty() || matrices.getFirst().shape().rank() == 0
        ? 0
        : matrices.getFirst().shape().size(0);
  }

  private static boolean sameBytes(Path one, Path other) {
    return one.getFileName().equals(other.getFileName())
        && Arrays.equals(TokenizerFolder.read(one), TokenizerFolder.read(other));
  }

  private static void requireSame(Checkpoint first, Checkpoint other, long rows) {
    TokenizerFolder expected = TokenizerFolder.of(first.sideFiles()).orElseThrow();
    TokenizerFolder found = TokenizerFolder.of(other.sideFiles()).orElseThrow();
    OptionalInt row = expected.vocabulary().firstDifference(found.vocabulary(), rows);
    if (row.isPresent()) {
      throw new MismatchException(
          "models with different vocabularies",
          found.source().toString(),
          "expected "
              + token(expected.vocabulary(), row.getAsInt())
              + " as in "
              + expected.source()
              + ", found "
              + token(found.vocabulary(), row.getAsInt()),
          "choose one with --tokenizer base or --tokenizer union");
    }
  }

  private static String token(Vocabulary vocabulary, int id) {
    return vocabulary.token(id).map(token -> "'" + token + "' at " + id).orElse("no token " + id);
  }
}
