package dev.smelt.merge.vocabulary;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.tokenizer.Spelling;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SortedMap;

/**
 * Models of different vocabularies, each seen with the vocabulary of the output, so that rows of
 * one number are of one token. Planning reads tokenizers and headers; matrices are put together on
 * disk when their values are first asked for. Closing ends the views.
 *
 * @see RowPlan which row stands for a token that a model lacks
 * @see Union what a union of tokenizers is
 */
public final class Vocabularies implements AutoCloseable {

  private final OutputVocabulary output;
  private final RowPlan plan;
  private final RowStore store;
  private final TokenizerOutput files;
  private final List<String> rowNotes;
  private final List<Checkpoint> models = new ArrayList<>();

  private Vocabularies(
      List<ModelVocabulary> vocabularies,
      OutputVocabulary output,
      RowPlan plan,
      TokenizerOutput files,
      List<String> rowNotes,
      RowStore store) {
    this.output = output;
    this.plan = plan;
    this.files = files;
    this.rowNotes = rowNotes;
    this.store = store;
    List<Checkpoint> stored = vocabularies.stream().map(ModelVocabulary::checkpoint).toList();
    RelaidTensors tensors = new RelaidTensors(stored, plan, store);
    for (int i = 0; i < stored.size(); i++) {
      Checkpoint model = stored.get(i);
      Optional<ModelConfig> config =
          i == 0 ? files.config() : model.config().map(c -> c.with("vocab_size", plan.rows()));
      models.add(new VocabularyModel(model, i, this, tensors, config, files.sideFiles()));
    }
  }

  /**
   * @param models the first is the one whose config and side files the output gets
   * @param base the model that others are changes of, or whose rows go first; absent: none, and the
   *     first model's vocabulary is the one that keeps its ids
   * @param scratchNear a file or folder, such as the output, on whose disk matrices are put
   *     together
   * @throws NotFoundException when a model has no tokenizer or no embedding of tokens
   * @throws MismatchException when tokenizers, or tokenizer and embedding, do not fit each other
   * @throws UnsupportedException when the output's tokenizer files cannot be written
   */
  public static Vocabularies plan(
      List<Checkpoint> models, OptionalInt base, TokenizerRequest request, Path scratchNear) {
    List<ModelVocabulary> vocabularies = models.stream().map(ModelVocabulary::of).toList();
    OutputVocabulary output = OutputVocabulary.of(vocabularies, base.orElse(0), request);
    requireOneSpelling(vocabularies, output);
    RowPlan plan = new RowPlan(vocabularies, base, output, request);
    TokenizerOutput files = TokenizerOutput.of(vocabularies.getFirst(), output, plan.rows());
    RowNotes notes = new RowNotes(vocabularies, output, request, plan.rows());
    return new Vocabularies(
        vocabularies, output, plan, files, notes.list(), new RowStore(scratchNear));
  }

  private static void requireOneSpelling(List<ModelVocabulary> models, OutputVocabulary output) {
    Optional<Spelling> expected = output.donor().spelling();
    for (ModelVocabulary model : models) {
      Optional<Spelling> found = model.folder().spelling();
      if (expected.isPresent() && found.isPresent() && !expected.equals(found)) {
        throw new MismatchException(
            "tokens are written in different ways",
            model.folder().source().toString(),
            "expected "
                + expected.get()
                + " as in "
                + output.donor().source()
                + ", found "
                + found.get(),
            "merge models whose tokenizers are of one kind");
      }
    }
  }

  /** The models with the output's vocabulary, in the order given. */
  public List<Checkpoint> models() {
    return List.copyOf(models);
  }

  /** Files of the output that are no copies: name → content. */
  public SortedMap<String, String> texts() {
    return files.texts();
  }

  /** Rows of the matrices of the output. */
  public int rows() {
    return plan.rows();
  }

  /** What the user should know. */
  public List<String> notes() {
    List<String> notes = new ArrayList<>();
    notes.add(
        String.format(
            "vocabulary of %d tokens in %d rows; those of %s keep their ids",
            output.tokens().size(), plan.rows(), output.donor().source()));
    notes.addAll(output.notes());
    notes.addAll(rowNotes);
    notes.addAll(files.notes());
    return notes;
  }

  @Override
  public void close() {
    store.close();
  }
}
