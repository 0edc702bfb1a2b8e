package dev.smelt.formats.tokenizer;

import dev.smelt.formats.CorruptException;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** Two tokens that byte-pair encoding makes one of. */
public record Merge(String left, String right) {

  /**
   * @param merges as "a b" or ["a", "b"]
   * @param where the file, for refusals
   */
  static List<Merge> list(JsonNode merges, String where) {
    List<Merge> list = new ArrayList<>();
    for (JsonNode entry : merges.values()) {
      list.add(parse(entry, list.size(), where));
    }
    return list;
  }

  private static Merge parse(JsonNode entry, int place, String where) {
    if (entry.isString()) {
      String text = entry.asString();
      int blank = text.indexOf(' ');
      if (blank > 0 && blank == text.lastIndexOf(' ') && blank < text.length() - 1) {
        return new Merge(text.substring(0, blank), text.substring(blank + 1));
      }
    } else if (entry.isArray()
        && entry.size() == 2
        && entry.path(0).isString()
        && entry.path(1).isString()) {
      return new Merge(entry.path(0).asString(), entry.path(1).asString());
    }
    throw new CorruptException(
        "merge that is not two tokens", where, "found " + entry + " at " + place, "");
  }

  /** The token it makes, where pieces inside a word begin with {@code inside}. */
  public String made(String inside) {
    String rest = right.startsWith(inside) ? right.substring(inside.length()) : right;
    return left + rest;
  }

  /** Whether it can be written as two words of a line. */
  public boolean isLine() {
    return left.indexOf(' ') < 0 && right.indexOf(' ') < 0;
  }
}
