package dev.smelt.compress.sharing;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.UsageException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which layers may share at all: those whose key is equal, and that have one type and shape of the
 * common side.
 *
 * @param pattern its captures in a module's name, joined, are the key; where it has none, all that
 *     it is found in have the same; absent: the name with {@code *} for every number
 */
public record Grouping(Optional<Pattern> pattern) {

  /** The same matrix of all blocks of a network. */
  public static final Grouping SAME_PLACE = new Grouping(Optional.empty());

  /** The same matrix of several models. */
  public static final Grouping SAME_NAME = of("(.*)");

  private static final Pattern NUMBER = Pattern.compile("(?<=^|\\.)[0-9]+(?=\\.|$)");

  /**
   * @param text a regular expression
   * @throws UsageException when it is none
   */
  public static Grouping of(String text) {
    try {
      return new Grouping(Optional.of(Pattern.compile(text)));
    } catch (PatternSyntaxException e) {
      throw new UsageException(
          "--group '" + text + "' is no regular expression: " + e.getDescription(),
          "see java.util.regex.Pattern");
    }
  }

  /** The key; empty where a layer may not share. */
  Optional<String> key(Layer layer) {
    if (pattern.isEmpty()) {
      return Optional.of(NUMBER.matcher(layer.module()).replaceAll("*"));
    }
    Matcher matcher = pattern.get().matcher(layer.module());
    if (!matcher.find()) {
      return Optional.empty();
    }
    StringBuilder key = new StringBuilder();
    for (int i = 1; i <= matcher.groupCount(); i++) {
      key.append(matcher.group(i)).append('|');
    }
    return Optional.of(key.toString());
  }
}
