package dev.smelt.merge.vocabulary;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Architecture;
import dev.smelt.formats.tokenizer.TokenizerFile;
import dev.smelt.formats.tokenizer.TokenizerFolder;
import dev.smelt.formats.tokenizer.Vocabulary;
import java.util.List;

/**
 * The tokens of a model and the matrices that have a row for each.
 *
 * @param rows of each of these matrices: one for each token, and perhaps more
 */
record ModelVocabulary(Checkpoint checkpoint, TokenizerFolder folder, int rows) {

  /**
   * @throws NotFoundException when the model has no tokenizer or no such matrix
   * @throws MismatchException when they do not fit each other
   */
  static ModelVocabulary of(Checkpoint checkpoint) {
    TokenizerFolder folder =
        TokenizerFolder.of(checkpoint.sideFiles())
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no tokenizer to match tokens by",
                        checkpoint.path().toString(),
                        "expected tokenizer.json, vocab.txt or vocab.json",
                        "save the tokenizer as tokenizer.json in the model's folder"));
    folder.json().ifPresent(TokenizerFile::requireStableIds);
    folder.requireAgreement(checkpoint.sideFiles());
    ModelVocabulary model = new ModelVocabulary(checkpoint, folder, rows(checkpoint));
    model.requireRows();
    return model;
  }

  Vocabulary tokens() {
    return folder.vocabulary();
  }

  /** Whether there is a row of that number, and no token that it belongs to. */
  boolean hasFreeRow(int row) {
    return row < rows && tokens().token(row).isEmpty();
  }

  private static int rows(Checkpoint checkpoint) {
    List<TensorView> matrices = matrices(checkpoint);
    if (matrices.isEmpty()) {
      throw new NotFoundException(
          "no embedding of tokens",
          checkpoint.path().toString(),
          "expected a tensor such as embed_tokens.weight",
          "merge such models without --tokenizer");
    }
    TensorView first = matrices.getFirst();
    for (TensorView matrix : matrices) {
      String where = checkpoint.path() + "|" + matrix.name();
      if (!matrix.dtype().isFloat() || matrix.shape().rank() == 0) {
        throw new UnsupportedException(
            "rows of a tensor that holds no floats",
            where,
            "found " + matrix.info(),
            "expand the model first");
      }
      if (matrix.shape().size(0) != first.shape().size(0)) {
        throw new MismatchException(
            "matrices with unlike numbers of tokens",
            where,
            "expected "
                + first.shape().size(0)
                + " as "
                + first.name()
                + ", found "
                + matrix.shape(),
            "repair the model");
      }
    }
    return Math.toIntExact(first.shape().size(0));
  }

  /** Those with a row for each token. */
  static List<TensorView> matrices(Checkpoint checkpoint) {
    Architecture architecture = Architecture.of(checkpoint.config());
    return checkpoint.tensors().stream()
        .filter(tensor -> architecture.hasRowPerToken(tensor.name()))
        .toList();
  }

  private void requireRows() {
    if (tokens().end() > rows) {
      int id = tokens().end() - 1;
      throw new MismatchException(
          "token without a row",
          folder.source().toString(),
          "'"
              + tokens().token(id).orElseThrow()
              + "' has id "
              + id
              + ", but the embedding of "
              + checkpoint.path()
              + " has "
              + rows
              + " rows",
          "use the tokenizer that belongs to the model");
    }
  }
}
