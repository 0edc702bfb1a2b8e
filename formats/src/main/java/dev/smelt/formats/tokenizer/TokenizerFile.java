package dev.smelt.formats.tokenizer;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.MismatchException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A tokenizer.json, of the library <i>tokenizers</i>. Read here are tokens and their ids; what else
 * is in it stays as it is.
 *
 * <table>
 * <caption>What is read</caption>
 * <tr><td>{@code model.type}</td><td>{@link TokenModel}; may be absent in old files</td></tr>
 * <tr><td>{@code model.vocab}</td><td>token → id; Unigram: a list of [token, score], ids are
 *     places</td></tr>
 * <tr><td>{@code model.merges}</td><td>BPE: "a b" or ["a", "b"], the first goes first</td></tr>
 * <tr><td>{@code added_tokens}</td><td>{@link AddedToken}s; they may be in {@code model.vocab} as
 *     well</td></tr>
 * </table>
 */
public final class TokenizerFile {

  static final String ADDED = "added_tokens";
  static final String MODEL = "model";
  static final String VOCABULARY = "vocab";
  static final String MERGES = "merges";

  private final String where;
  private final ObjectNode root;
  private final TokenModel model;
  private final Vocabulary pieces;
  private final List<AddedToken> added;
  private final Vocabulary vocabulary;

  private TokenizerFile(ObjectNode root, String where) {
    this.where = where;
    this.root = root;
    JsonNode modelNode = root.path(MODEL);
    this.model = TokenModel.of(modelNode, where);
    this.pieces = Vocabulary.of(model.ids(modelNode, where), where);
    this.added = added(root.path(ADDED), where);
    Map<String, Integer> all = new LinkedHashMap<>(pieces.ids());
    for (AddedToken token : added) {
      Integer other = all.put(token.content(), token.id());
      if (other != null && other != token.id()) {
        throw new CorruptException(
            "token with two ids",
            where,
            "'" + token.content() + "' has " + other + " and " + token.id(),
            "save the tokenizer again");
      }
    }
    this.vocabulary = Vocabulary.of(all, where);
  }

  private static List<AddedToken> added(JsonNode entries, String where) {
    List<AddedToken> added = new ArrayList<>();
    for (JsonNode entry : entries.values()) {
      added.add(AddedToken.parse(entry, where));
    }
    return List.copyOf(added);
  }

  /**
   * @param where the file, for refusals
   * @throws CorruptException when it is no JSON object, or tokens and ids contradict each other
   * @throws dev.smelt.formats.UnsupportedException when the tokenizer is of an unknown type
   */
  public static TokenizerFile parse(byte[] json, String where) {
    if (Json.parse(json, where) instanceof ObjectNode root) {
      return new TokenizerFile(root, where);
    }
    throw new CorruptException("tokenizer is not a JSON object", where, "", "");
  }

  /** The same file with other content. */
  static TokenizerFile of(ObjectNode root, String where) {
    return new TokenizerFile(root, where);
  }

  /** All tokens, added ones among them. */
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  /** The tokens that words are cut into. */
  public Vocabulary pieces() {
    return pieces;
  }

  /** In the order of the file. */
  public List<AddedToken> added() {
    return added;
  }

  public TokenModel model() {
    return model;
  }

  public Spelling spelling() {
    return Spelling.of(root);
  }

  /** Of byte-pair encoding, in order; empty for others. */
  public List<Merge> merges() {
    return Merge.list(root.path(MODEL).path(MERGES), where);
  }

  /** The score of a piece of a Unigram tokenizer, as the file has it. */
  public JsonNode score(int id) {
    return root.path(MODEL).path(VOCABULARY).path(id).path(1);
  }

  /**
   * That the library gives added tokens the ids that the file names: it takes those of the pieces
   * and else counts on from them.
   *
   * @throws MismatchException when it does not
   */
  public void requireStableIds() {
    firstUnstable()
        .ifPresent(
            token -> {
              throw new MismatchException(
                  "ids of added tokens have a gap",
                  where,
                  "'" + token.content() + "' has " + token.id() + ", which is not the next one",
                  "save the tokenizer again with transformers");
            });
  }

  /** The first added token that the library gives another id when it reads the file. */
  Optional<AddedToken> firstUnstable() {
    Set<String> seen = new HashSet<>();
    int highest = -1;
    for (AddedToken token : added) {
      if (token.content().isEmpty() || !seen.add(token.content())) {
        continue;
      }
      int id = pieces.id(token.content()).orElse(Math.max(highest + 1, pieces.size()));
      if (id != token.id()) {
        return Optional.of(token);
      }
      highest = Math.max(highest, id);
    }
    return Optional.empty();
  }

  /** To be changed by the caller. */
  ObjectNode copy() {
    return root.deepCopy();
  }

  /** The file, for refusals. */
  public String where() {
    return where;
  }

  public String toJson() {
    return Json.write(root);
  }
}
