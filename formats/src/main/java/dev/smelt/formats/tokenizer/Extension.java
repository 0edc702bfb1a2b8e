package dev.smelt.formats.tokenizer;

import dev.smelt.formats.Json;
import dev.smelt.formats.UnsupportedException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a tokenizer.json gets more. What it has keeps its ids.
 *
 * @param pieces tokens that words are cut into, with new ids
 * @param added tokens that are found in text first, with new ids or those that they have
 * @param merges after those that there are
 */
public record Extension(List<Piece> pieces, List<AddedToken> added, List<Merge> merges) {

  /**
   * @param score of a Unigram tokenizer; for others it means nothing
   */
  public record Piece(String token, int id, JsonNode score) {}

  public Extension {
    pieces = List.copyOf(pieces);
    added = List.copyOf(added);
    merges = List.copyOf(merges);
  }

  public boolean isEmpty() {
    return pieces.isEmpty() && added.isEmpty() && merges.isEmpty();
  }

  /**
   * The file with all this. Where the library would count added tokens otherwise, they become
   * pieces as well, which fixes their ids and changes nothing else: they are found before words are
   * cut.
   *
   * @throws UnsupportedException when the file cannot hold these ids
   */
  public TokenizerFile of(TokenizerFile file) {
    if (isEmpty()) {
      return file;
    }
    ObjectNode root = file.copy();
    ArrayNode entries = root.withArrayProperty(TokenizerFile.ADDED);
    entries.removeAll();
    List<AddedToken> all = new ArrayList<>(file.added());
    all.addAll(added);
    all.sort(Comparator.comparingInt(AddedToken::id));
    all.forEach(token -> entries.add(Json.tree(token.entry())));
    ObjectNode model = root.withObjectProperty(TokenizerFile.MODEL);
    addMerges(model);
    if (file.model() == TokenModel.UNIGRAM) {
      addToList(model, file, all);
      return TokenizerFile.of(root, file.where());
    }
    ObjectNode vocabulary = model.withObjectProperty(TokenizerFile.VOCABULARY);
    pieces.forEach(piece -> vocabulary.put(piece.token(), piece.id()));
    TokenizerFile extended = TokenizerFile.of(root, file.where());
    if (extended.firstUnstable().isEmpty()) {
      return extended;
    }
    all.forEach(token -> vocabulary.put(token.content(), token.id()));
    return TokenizerFile.of(root, file.where());
  }

  private void addMerges(ObjectNode model) {
    if (merges.isEmpty()) {
      return;
    }
    ArrayNode list = model.withArrayProperty(TokenizerFile.MERGES);
    boolean lines =
        merges.stream().allMatch(Merge::isLine) && (list.isEmpty() || list.path(0).isString());
    if (!lines) {
      List<Merge> before = Merge.list(list, "");
      list.removeAll();
      before.forEach(merge -> list.addArray().add(merge.left()).add(merge.right()));
    }
    for (Merge merge : merges) {
      if (lines) {
        list.add(merge.left() + " " + merge.right());
      } else {
        list.addArray().add(merge.left()).add(merge.right());
      }
    }
  }

  /** Ids are places: added tokens that lie between pieces have to be in the list. */
  private void addToList(ObjectNode model, TokenizerFile file, List<AddedToken> all) {
    ArrayNode list = model.withArrayProperty(TokenizerFile.VOCABULARY);
    if (pieces.isEmpty()) {
      return;
    }
    Map<Integer, Piece> more = new TreeMap<>();
    for (AddedToken token : all) {
      if (token.id() >= list.size()) {
        more.put(token.id(), new Piece(token.content(), token.id(), Json.tree(0)));
      }
    }
    pieces.forEach(piece -> more.put(piece.id(), piece));
    for (Piece piece : more.values()) {
      if (piece.id() != list.size()) {
        throw new UnsupportedException(
            "ids of a Unigram tokenizer have a gap",
            file.where(),
            "expected " + list.size() + " for '" + piece.token() + "', found " + piece.id(),
            "use the vocabulary of one of the models");
      }
      list.addArray().add(piece.token()).add(piece.score());
    }
  }
}
