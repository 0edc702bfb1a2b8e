package dev.smelt.formats.tokenizer;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UnsupportedException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/** How words are cut into tokens: what {@code model.type} of a tokenizer.json says. */
public enum TokenModel {
  /** Pairs are merged, in the order of a list. */
  BPE("BPE"),
  /** The longest token that fits, from left to right. */
  WORD_PIECE("WordPiece"),
  /** The most probable cut, by a score of each token. */
  UNIGRAM("Unigram"),
  /** A token is a word. */
  WORD_LEVEL("WordLevel");

  private final String label;

  TokenModel(String label) {
    this.label = label;
  }

  /** The name in the file. */
  public String label() {
    return label;
  }

  /**
   * @param model of a tokenizer.json; old ones do not name its type
   * @throws UnsupportedException for types that are not read
   */
  static TokenModel of(JsonNode model, String where) {
    String type = model.path("type").asString("");
    Optional<TokenModel> named =
        Arrays.stream(values()).filter(kind -> kind.label.equals(type)).findFirst();
    if (named.isPresent()) {
      return named.get();
    }
    if (type.isEmpty() && model.path("merges").isArray()) {
      return BPE;
    }
    if (type.isEmpty() && model.path("vocab").isArray()) {
      return UNIGRAM;
    }
    throw new UnsupportedException(
        "tokenizer of an unknown type",
        where,
        "expected BPE, WordPiece, Unigram or WordLevel, found '" + type + "'",
        "");
  }

  /** The tokens of {@code model.vocab} and their ids: keys and values, or the places of a list. */
  Map<String, Integer> ids(JsonNode model, String where) {
    JsonNode vocabulary = model.path("vocab");
    return this == UNIGRAM ? ofList(vocabulary, where) : ofMap(vocabulary, where);
  }

  static Map<String, Integer> ofMap(JsonNode vocabulary, String where) {
    if (!vocabulary.isObject()) {
      throw new CorruptException(
          "vocabulary is not a map of tokens to ids",
          where,
          "found " + vocabulary.getNodeType(),
          "");
    }
    Map<String, Integer> ids = new LinkedHashMap<>();
    vocabulary
        .properties()
        .forEach(
            entry -> {
              if (!entry.getValue().isInt()) {
                throw new CorruptException(
                    "token without an id",
                    where,
                    "'" + entry.getKey() + "' has " + entry.getValue(),
                    "");
              }
              ids.put(entry.getKey(), entry.getValue().intValue());
            });
    return ids;
  }

  private static Map<String, Integer> ofList(JsonNode vocabulary, String where) {
    if (!vocabulary.isArray()) {
      throw new CorruptException(
          "vocabulary is not a list of tokens with scores",
          where,
          "found " + vocabulary.getNodeType(),
          "");
    }
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (JsonNode pair : vocabulary.values()) {
      boolean fits = pair.size() == 2 && pair.path(0).isString() && pair.path(1).isNumber();
      if (!fits) {
        throw new CorruptException(
            "token without a score", where, "found " + pair + " at " + ids.size(), "");
      }
      if (ids.putIfAbsent(pair.path(0).asString(), ids.size()) != null) {
        throw new CorruptException(
            "token twice in a vocabulary", where, "'" + pair.path(0).asString() + "'", "");
      }
    }
    return ids;
  }
}
