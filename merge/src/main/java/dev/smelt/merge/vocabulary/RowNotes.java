package dev.smelt.merge.vocabulary;

import dev.smelt.formats.tokenizer.Vocabulary;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** What becomes of tokens and rows that not all models have, for the user. */
final class RowNotes {

  private final List<ModelVocabulary> models;
  private final OutputVocabulary output;
  private final TokenizerRequest request;
  private final int rows;

  /**
   * @param rows of the output
   */
  RowNotes(
      List<ModelVocabulary> models, OutputVocabulary output, TokenizerRequest request, int rows) {
    this.models = List.copyOf(models);
    this.output = output;
    this.request = request;
    this.rows = rows;
  }

  List<String> list() {
    List<String> notes = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      addOf(i, notes);
    }
    add(notes, "tokens that no model has, with rows of zeros", nowhere());
    return notes;
  }

  private void addOf(int number, List<String> notes) {
    ModelVocabulary model = models.get(number);
    String path = model.checkpoint().path().toString();
    add(notes, "tokens filled in for " + path, missing(output.tokens(), model.tokens()));
    add(notes, "tokens of " + path + " left out", missing(model.tokens(), output.tokens()));
    long unused =
        IntStream.range(0, model.rows())
            .filter(row -> model.hasFreeRow(row) && (row >= rows || isTaken(row)))
            .count();
    if (unused > 0) {
      notes.add("rows without a token of " + path + " left out: " + unused);
    }
  }

  private boolean isTaken(int row) {
    return output.tokens().token(row).isPresent();
  }

  private static List<String> missing(Vocabulary of, Vocabulary in) {
    return of.ids().keySet().stream().filter(token -> in.id(token).isEmpty()).toList();
  }

  private List<String> nowhere() {
    return output.tokens().ids().keySet().stream()
        .filter(token -> !request.tokens().containsKey(token))
        .filter(token -> models.stream().allMatch(model -> model.tokens().id(token).isEmpty()))
        .toList();
  }

  private static void add(List<String> notes, String what, List<String> tokens) {
    if (!tokens.isEmpty()) {
      notes.add(what + ": " + tokens.size() + ", from '" + tokens.getFirst() + "' on");
    }
  }
}
