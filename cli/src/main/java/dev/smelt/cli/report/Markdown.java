package dev.smelt.cli.report;

import dev.smelt.cli.text.Columns;

/** Escaping for GitHub-flavoured Markdown, in and outside of tables. */
final class Markdown {

  /** Everything that could start markup, HTML or a new cell. */
  private static final String SPECIAL = "\\`*[]<>&|~#$@!\"'";

  private Markdown() {}

  /** Plain text: characters with a meaning become entities, which never make structure. */
  static String text(String text) {
    StringBuilder out = new StringBuilder(text.length());
    int[] points = text.codePoints().toArray();
    for (int i = 0; i < points.length; i++) {
      int c = points[i];
      if (c == '\n' || c == '\r' || c == '\t') {
        out.append(' ');
      } else if (!Columns.isPrintable(c)) {
        out.append('\uFFFD');
      } else if (SPECIAL.indexOf(c) >= 0 || (c == '_' && !insideWord(points, i))) {
        out.append("&#").append(c).append(';');
      } else {
        out.appendCodePoint(c);
      }
    }
    return out.toString();
  }

  /** An underscore between letters is no emphasis, and names are easier to read with it. */
  private static boolean insideWord(int[] points, int i) {
    return i > 0
        && i + 1 < points.length
        && Character.isLetterOrDigit(points[i - 1])
        && Character.isLetterOrDigit(points[i + 1]);
  }

  /** A name in fixed width: backticks where they are safe, else an element with entities. */
  static String code(String name) {
    boolean plain =
        !name.isBlank()
            && name.equals(name.strip())
            && name.codePoints().allMatch(c -> Columns.isPrintable(c) && "`|\\".indexOf(c) < 0);
    return plain ? "`" + name + "`" : "<code>" + text(name) + "</code>";
  }

  /** A block of commands, its fence longer than any row of backticks in it. */
  static String fenced(String body) {
    String fence = "```";
    while (body.contains(fence)) {
      fence += "`";
    }
    return fence + "sh\n" + body + "\n" + fence + "\n";
  }
}
