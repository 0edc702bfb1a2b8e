package dev.smelt.merge.vocabulary;

import dev.smelt.formats.Json;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.tokenizer.AddedToken;
import dev.smelt.formats.tokenizer.Extension;
import dev.smelt.formats.tokenizer.Extension.Piece;
import dev.smelt.formats.tokenizer.Merge;
import dev.smelt.formats.tokenizer.TokenModel;
import dev.smelt.formats.tokenizer.TokenizerFile;
import dev.smelt.formats.tokenizer.TokenizerFolder;
import dev.smelt.formats.tokenizer.Vocabulary;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * All tokens of all models. Those of the base (or first model) keep their ids; after them come
 * those that other models have more, model by model and there in the order of their ids.
 *
 * <p>A token that any model finds in text before words are cut is found so in the output. Other new
 * tokens become pieces of words. For byte-pair encoding the merges that others have more follow
 * those of the base, where their parts and what they make are pieces of the output: text is cut as
 * the base cuts it, and then put together further. Where one tokenizer extends the other the union
 * is the larger one. Tokenizers that take the longest piece, or the most probable ones, use new
 * pieces at once, Unigram with the scores that they have in their models. All else, such as how
 * text is normalised and what is put around it, is the base's.
 *
 * <p>mergekit adds all new tokens as ones found in text, which pieces such as {@code Ġthe} never
 * are, and leaves merges as they are in the base.
 */
final class Union {

  private final List<ModelVocabulary> models;
  private final int home;
  private final TokenizerFolder base;
  private final Map<String, Integer> ids;
  private final Map<String, AddedToken> addedAnywhere = new LinkedHashMap<>();
  private final List<Piece> pieces = new ArrayList<>();
  private final List<AddedToken> added = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private int next;

  Union(List<ModelVocabulary> models, int home) {
    this.models = models;
    this.home = home;
    this.base = models.get(home).folder();
    this.ids = new LinkedHashMap<>(base.vocabulary().ids());
    this.next = base.vocabulary().end();
    findAdded();
    for (ModelVocabulary model : others()) {
      add(model);
    }
    mark();
  }

  private List<ModelVocabulary> others() {
    List<ModelVocabulary> others = new ArrayList<>(models);
    others.remove(home);
    return others;
  }

  private void findAdded() {
    addAdded(base);
    others().forEach(model -> addAdded(model.folder()));
  }

  private void addAdded(TokenizerFolder folder) {
    for (AddedToken token : folder.json().map(TokenizerFile::added).orElse(List.of())) {
      AddedToken known = addedAnywhere.putIfAbsent(token.content(), token);
      if (known != null && !known.isFoundAs(token)) {
        notes.add(
            "'"
                + token.content()
                + "' is found in text otherwise in "
                + folder.source()
                + "; taken as the first model that has it");
      }
    }
  }

  private void add(ModelVocabulary model) {
    int before = next;
    boolean asPieces = false;
    for (Map.Entry<String, Integer> entry : model.tokens().ids().entrySet()) {
      String token = entry.getKey();
      if (ids.containsKey(token)) {
        continue;
      }
      Optional<AddedToken> settings = Optional.ofNullable(addedAnywhere.get(token));
      if (settings.isPresent()) {
        added.add(settings.get().withId(next));
      } else {
        asPieces = true;
        pieces.add(new Piece(token, next, score(model.folder(), entry.getValue())));
      }
      ids.put(token, next);
      next++;
    }
    if (next > before) {
      requireReadable(model.folder(), asPieces);
      notes.add("tokens added from " + model.checkpoint().path() + ": " + (next - before));
    }
  }

  private static JsonNode score(TokenizerFolder folder, int id) {
    return folder
        .json()
        .filter(file -> file.model() == TokenModel.UNIGRAM)
        .map(file -> file.score(id))
        .orElse(Json.tree(0));
  }

  /** Tokens of the base that another model finds in text first. */
  private void mark() {
    Set<String> known = new HashSet<>();
    base.json().ifPresent(file -> file.added().forEach(token -> known.add(token.content())));
    added.forEach(token -> known.add(token.content()));
    addedAnywhere.forEach(
        (content, token) -> {
          Integer id = ids.get(content);
          if (id != null && !known.contains(content) && base.json().isPresent()) {
            added.add(token.withId(id));
          }
        });
  }

  private void requireReadable(TokenizerFolder other, boolean asPieces) {
    if (kind(other).isEmpty() || kind(base).isEmpty()) {
      TokenizerFolder folder = kind(other).isEmpty() ? other : base;
      throw new UnsupportedException(
          "no union with a tokenizer of this form",
          folder.source().toString(),
          "expected tokenizer.json",
          "save the tokenizer as tokenizer.json");
    }
    if (asPieces && !kind(other).equals(kind(base))) {
      throw new MismatchException(
          "no union of tokenizers of different types",
          other.source().toString(),
          "expected "
              + kind(base).get().label()
              + " as in "
              + base.source()
              + ", found "
              + kind(other).get().label(),
          "use the vocabulary of one of the models");
    }
  }

  private static Optional<TokenModel> kind(TokenizerFolder folder) {
    boolean lines = folder.source().endsWith(TokenizerFolder.VOCAB_TXT);
    return folder
        .json()
        .map(TokenizerFile::model)
        .or(() -> lines ? Optional.of(TokenModel.WORD_PIECE) : Optional.empty());
  }

  /**
   * @param byHand tokens that the output shall have besides
   * @throws UnsupportedException when the base's files cannot hold what is added
   */
  OutputVocabulary with(Collection<String> byHand) {
    for (String token : byHand) {
      if (!ids.containsKey(token)) {
        ids.put(token, next);
        added.add(AddedToken.plain(token, next));
        next++;
      }
    }
    return new OutputVocabulary(
        base,
        models.get(home).checkpoint().sideFiles(),
        OptionalInt.of(home),
        Vocabulary.of(ids, base.source().toString()),
        new Extension(pieces, added, merges()),
        notes);
  }

  private List<Merge> merges() {
    Optional<TokenizerFile> file = base.json().filter(json -> json.model() == TokenModel.BPE);
    if (file.isEmpty() || pieces.isEmpty()) {
      return List.of();
    }
    Set<String> all = new HashSet<>(file.get().pieces().ids().keySet());
    pieces.forEach(piece -> all.add(piece.token()));
    String inside = file.get().spelling().inside();
    Set<Merge> known = new HashSet<>(file.get().merges());
    Set<Merge> more = new LinkedHashSet<>();
    for (ModelVocabulary model : others()) {
      for (Merge merge : model.folder().json().map(TokenizerFile::merges).orElse(List.of())) {
        boolean possible =
            all.contains(merge.left())
                && all.contains(merge.right())
                && all.contains(merge.made(inside));
        if (possible && !known.contains(merge)) {
          more.add(merge);
        }
      }
    }
    notes.add("merges of other models after those of " + base.source() + ": " + more.size());
    return List.copyOf(more);
  }
}
