package dev.smelt.formats.tokenizer;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import java.util.LinkedHashMap;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * A token that is found in text before anything else is done to it.
 *
 * @param singleWord only where it stands between blanks or punctuation
 * @param leftStrip with the blanks before it
 * @param rightStrip with the blanks after it
 * @param normalized found in the normalised text, not in the text as it is
 * @param special stands for no text
 */
public record AddedToken(
    String content,
    int id,
    boolean singleWord,
    boolean leftStrip,
    boolean rightStrip,
    boolean normalized,
    boolean special) {

  /** A token without any particulars, as transformers adds one that is given as a string. */
  public static AddedToken plain(String content, int id) {
    return new AddedToken(content, id, false, false, false, true, false);
  }

  /**
   * @param where the file, for refusals
   * @throws CorruptException when it has no content or id, or something of the wrong type
   */
  static AddedToken parse(JsonNode entry, String where) {
    JsonNode id = entry.path("id");
    JsonNode content = entry.path("content");
    if (!content.isString() || !id.isInt()) {
      throw new CorruptException(
          "added token without content or id", where, "found " + Json.writeCompact(entry), "");
    }
    boolean special = flag(entry, "special", false, where);
    return new AddedToken(
        content.asString(),
        id.intValue(),
        flag(entry, "single_word", false, where),
        flag(entry, "lstrip", false, where),
        flag(entry, "rstrip", false, where),
        flag(entry, "normalized", !special, where),
        special);
  }

  private static boolean flag(JsonNode entry, String key, boolean absent, String where) {
    JsonNode value = entry.path(key);
    if (value.isMissingNode()) {
      return absent;
    }
    if (!value.isBoolean()) {
      throw new CorruptException(
          "added token with a value of the wrong type",
          where,
          key + " must be true or false, found " + value,
          "");
    }
    return value.booleanValue();
  }

  public AddedToken withId(int other) {
    return new AddedToken(content, other, singleWord, leftStrip, rightStrip, normalized, special);
  }

  /** Whether both are found in text in the same way, whatever their ids. */
  public boolean isFoundAs(AddedToken other) {
    return equals(other.withId(id));
  }

  /** As in {@code added_tokens} of a tokenizer.json. */
  Map<String, Object> entry() {
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("id", id);
    entry.put("content", content);
    entry.put("single_word", singleWord);
    entry.put("lstrip", leftStrip);
    entry.put("rstrip", rightStrip);
    entry.put("normalized", normalized);
    entry.put("special", special);
    return entry;
  }

  /** As in {@code added_tokens_decoder} of a tokenizer_config.json, under its id. */
  public Map<String, Object> settings() {
    Map<String, Object> settings = new LinkedHashMap<>();
    settings.put("content", content);
    settings.put("lstrip", leftStrip);
    settings.put("normalized", normalized);
    settings.put("rstrip", rightStrip);
    settings.put("single_word", singleWord);
    settings.put("special", special);
    return settings;
  }
}
