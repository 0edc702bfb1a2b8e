package dev.smelt.cli.report;

import dev.smelt.cli.text.Columns;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Writes elements that are HTML and well-formed XML at once. All text and every attribute value is
 * escaped; only resources of this package go in as they are.
 */
final class Markup {

  private final StringBuilder out = new StringBuilder();
  private final Deque<String> open = new ArrayDeque<>();

  /** Attributes are name, value, name, value. */
  Markup open(String tag, String... attributes) {
    start(tag, attributes).append('>');
    open.push(tag);
    return this;
  }

  Markup close() {
    out.append("</").append(open.pop()).append('>');
    return this;
  }

  /** Closes a block, with a line break for whoever reads the source. */
  Markup closeLine() {
    close();
    out.append('\n');
    return this;
  }

  /** An element with nothing in it. */
  Markup empty(String tag, String... attributes) {
    start(tag, attributes).append("/>");
    return this;
  }

  /** An element with only text in it. */
  Markup leaf(String tag, String text, String... attributes) {
    return open(tag, attributes).text(text).close();
  }

  Markup text(String text) {
    escape(text);
    return this;
  }

  /** Everything another writer has written. */
  Markup add(Markup other) {
    if (!other.open.isEmpty()) {
      throw new IllegalStateException("<" + other.open.peek() + "> is still open");
    }
    out.append(other.out);
    return this;
  }

  /** Trusted text, as it is: style sheet and script. */
  Markup raw(String trusted) {
    out.append(trusted);
    return this;
  }

  private StringBuilder start(String tag, String... attributes) {
    if (attributes.length % 2 != 0) {
      throw new IllegalArgumentException("an attribute of <" + tag + "> has no value");
    }
    out.append('<').append(tag);
    for (int i = 0; i < attributes.length; i += 2) {
      out.append(' ').append(attributes[i]).append("=\"");
      escape(attributes[i + 1]);
      out.append('"');
    }
    return out;
  }

  private void escape(String text) {
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '"' -> out.append("&quot;");
                case '\'' -> out.append("&#39;");
                case '\n', '\t' -> out.append((char) c);
                default -> out.appendCodePoint(Columns.isPrintable(c) ? c : 0xFFFD);
              }
            });
  }

  @Override
  public String toString() {
    return out.toString();
  }
}
