package dev.smelt.cli.text;

import java.util.ArrayList;
import java.util.List;

/** Text measured in terminal columns: wide characters take two, combining ones none. */
public final class Columns {

  private static final String ELLIPSIS = "…";

  /** East Asian wide and emoji, in whole blocks: rather a column too many than one too few. */
  private static final int[] WIDE = {
    0x1100, 0x115F, // Hangul
    0x231A, 0x23FF, // clocks and controls
    0x25FD, 0x27BF, // symbols and dingbats
    0x2B1B, 0x2B55, // squares and stars
    0x2E80, 0xA4CF, // CJK, kana, Yi
    0xAC00, 0xD7A3, // Hangul
    0xF900, 0xFAFF, // CJK compatibility
    0xFE30, 0xFE6F, // CJK forms
    0xFF00, 0xFF60, // full width
    0xFFE0, 0xFFE6, // full width signs
    0x1F000, 0x3FFFF, // emoji, and CJK beyond the first plane
  };

  private Columns() {}

  /**
   * What is safe to send to a terminal: control, formatting and unpaired characters, with which a
   * hostile name could move the cursor or turn text around, become U+FFFD.
   */
  public static String printable(String text) {
    StringBuilder out = new StringBuilder(text.length());
    text.codePoints().forEach(c -> out.appendCodePoint(isPrintable(c) ? c : 0xFFFD));
    return out.toString();
  }

  public static boolean isPrintable(int codePoint) {
    return switch (Character.getType(codePoint)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          false;
      default -> true;
    };
  }

  public static int width(String text) {
    return text.codePoints().map(Columns::width).sum();
  }

  private static int width(int c) {
    int type = Character.getType(c);
    if (type == Character.NON_SPACING_MARK || type == Character.ENCLOSING_MARK) {
      return 0;
    }
    return isWide(c) ? 2 : 1;
  }

  private static boolean isWide(int c) {
    for (int i = 0; i < WIDE.length; i += 2) {
      if (c >= WIDE[i] && c <= WIDE[i + 1]) {
        return true;
      }
    }
    return false;
  }

  /** At most {@code columns} wide; what is too long loses its middle. */
  public static String shorten(String text, int columns) {
    if (width(text) <= columns) {
      return text;
    }
    if (columns <= 1) {
      return columns == 1 ? ELLIPSIS : "";
    }
    int[] points = text.codePoints().toArray();
    int tail = points.length;
    for (int room = columns / 2; room >= width(points[tail - 1]); tail--) {
      room -= width(points[tail - 1]);
    }
    int head = 0;
    for (int room = columns - 1 - columns / 2; room >= width(points[head]); head++) {
      room -= width(points[head]);
    }
    return new String(points, 0, head) + ELLIPSIS + new String(points, tail, points.length - tail);
  }

  /**
   * All at most {@code columns} wide, and still told apart: what all have in common, up to a dot at
   * the front and then from a dot at the end, goes before anything else does.
   */
  public static List<String> shortenAll(List<String> texts, int columns) {
    List<String> shown = texts;
    if (tooWide(shown, columns) && shown.size() > 1) {
      int common = commonPrefix(shown);
      int cut = shown.getFirst().substring(0, common).lastIndexOf('.') + 1;
      if (cut > 1) {
        shown = shown.stream().map(text -> ELLIPSIS + text.substring(cut)).toList();
      }
    }
    if (tooWide(shown, columns) && shown.size() > 1) {
      int common = commonPrefix(shown.stream().map(Columns::reversed).toList());
      String last = reversed(shown.getFirst()).substring(0, common);
      int cut = last.lastIndexOf('.') + 1;
      if (cut > 1) {
        shown =
            shown.stream().map(text -> text.substring(0, text.length() - cut) + ELLIPSIS).toList();
      }
    }
    return shown.stream().map(text -> shorten(text, columns)).toList();
  }

  private static boolean tooWide(List<String> texts, int columns) {
    return texts.stream().anyMatch(text -> width(text) > columns);
  }

  private static int commonPrefix(List<String> texts) {
    String first = texts.getFirst();
    int common = first.length();
    for (String text : texts) {
      int i = 0;
      while (i < common && i < text.length() && text.charAt(i) == first.charAt(i)) {
        i++;
      }
      common = i;
    }
    return common;
  }

  /** By chars: only what ends at a dot is ever cut, so pairs of surrogates stay together. */
  private static String reversed(String text) {
    char[] chars = text.toCharArray();
    for (int i = 0, j = chars.length - 1; i < j; i++, j--) {
      char c = chars[i];
      chars[i] = chars[j];
      chars[j] = c;
    }
    return new String(chars);
  }

  public static String padRight(String text, int columns) {
    return text + " ".repeat(Math.max(0, columns - width(text)));
  }

  public static String padLeft(String text, int columns) {
    return " ".repeat(Math.max(0, columns - width(text))) + text;
  }

  /** Lines of at most {@code columns}, broken at blanks; a word longer than a line is cut. */
  public static List<String> wrap(String text, int columns) {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String word : text.strip().split("\\s+", -1)) {
      if (!line.isEmpty() && width(line.toString()) + 1 + width(word) > columns) {
        lines.add(line.toString());
        line.setLength(0);
      }
      if (!line.isEmpty()) {
        line.append(' ');
      }
      for (int c : word.codePoints().toArray()) {
        if (width(line.toString()) + width(c) > columns) {
          lines.add(line.toString());
          line.setLength(0);
        }
        line.appendCodePoint(c);
      }
    }
    if (!line.isEmpty()) {
      lines.add(line.toString());
    }
    return lines;
  }
}
