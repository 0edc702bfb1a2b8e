package dev.smelt.formats.tokenizer;

import dev.smelt.formats.CorruptException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.TreeMap;

/** Tokens and their ids, one of each for each other. Ids may have gaps. */
public final class Vocabulary {

  private final SequencedMap<String, Integer> ids;
  private final NavigableMap<Integer, String> tokens;

  private Vocabulary(SequencedMap<String, Integer> ids, NavigableMap<Integer, String> tokens) {
    this.ids = Collections.unmodifiableSequencedMap(ids);
    this.tokens = Collections.unmodifiableNavigableMap(tokens);
  }

  /**
   * @param where the file, for refusals
   * @throws CorruptException when an id is negative or that of two tokens
   */
  public static Vocabulary of(Map<String, Integer> ids, String where) {
    NavigableMap<Integer, String> tokens = new TreeMap<>();
    ids.forEach(
        (token, id) -> {
          if (id < 0) {
            throw new CorruptException(
                "token with an impossible id", where, "'" + token + "' has " + id, "");
          }
          String other = tokens.put(id, token);
          if (other != null) {
            throw new CorruptException(
                "two tokens with one id",
                where,
                "'" + other + "' and '" + token + "' both have " + id,
                "save the tokenizer again");
          }
        });
    SequencedMap<String, Integer> ordered = new LinkedHashMap<>();
    tokens.forEach((id, token) -> ordered.put(token, id));
    return new Vocabulary(ordered, tokens);
  }

  /** By token, in the order of the ids. */
  public SequencedMap<String, Integer> ids() {
    return ids;
  }

  public OptionalInt id(String token) {
    Integer id = ids.get(token);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  public Optional<String> token(int id) {
    return Optional.ofNullable(tokens.get(id));
  }

  /** How many tokens there are. */
  public int size() {
    return ids.size();
  }

  /** The first id that is beyond all of them: rows that a matrix must have at least. */
  public int end() {
    return tokens.isEmpty() ? 0 : tokens.lastKey() + 1;
  }

  /**
   * The smallest id below {@code end} that is not the same token in both, or a token in one only.
   */
  public OptionalInt firstDifference(Vocabulary other, long end) {
    for (int id = 0; id < Math.min(end, Math.max(end(), other.end())); id++) {
      if (!token(id).equals(other.token(id))) {
        return OptionalInt.of(id);
      }
    }
    return OptionalInt.empty();
  }
}
