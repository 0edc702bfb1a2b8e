package dev.smelt.cli.text;

import java.util.ArrayList;
import java.util.List;

/**
 * A table for the terminal: a column of names that may be shortened, then right-aligned columns
 * that may not. Columns that do not fit beside the names go on below, under the names again.
 */
public final class TextTable {

  /** Names are not shortened below this, nor below 2/5 of the width, to fit more columns. */
  private static final int LEAST_NAME = 12;

  private static final String GAP = "  ";

  /** A cell and how it is to be lit. */
  public record Cell(String text, Style style) {
    public static Cell plain(String text) {
      return new Cell(text, Style.PLAIN);
    }
  }

  /** What colour, where there is colour, says. Never the only sign. */
  public enum Style {
    PLAIN(""),
    BOLD("1"),
    FAINT("2"),
    GOOD("32"),
    BAD("31");

    private final String code;

    Style(String code) {
      this.code = code;
    }

    public String apply(String text, boolean colour) {
      return !colour || code.isEmpty() || text.isBlank()
          ? text
          : "\u001B[" + code + "m" + text + "\u001B[0m";
    }
  }

  /** A column to the right of the names; {@code joined} ones stay beside the one before them. */
  private record Column(String heading, boolean joined) {}

  private final String nameHeading;
  private final List<Column> columns = new ArrayList<>();
  private final List<String> names = new ArrayList<>();
  private final List<List<Cell>> rows = new ArrayList<>();

  public TextTable(String nameHeading) {
    this.nameHeading = nameHeading;
  }

  public void column(String heading) {
    columns.add(new Column(heading, false));
  }

  /** Kept beside the column before it. */
  public void joinedColumn(String heading) {
    columns.add(new Column(heading, true));
  }

  public void row(String name, List<Cell> cells) {
    if (cells.size() != columns.size()) {
      throw new IllegalArgumentException(
          cells.size() + " cells for " + columns.size() + " columns");
    }
    names.add(name);
    rows.add(List.copyOf(cells));
  }

  /** No line is wider than {@code width}. */
  public String render(int width, boolean colour) {
    int natural = names.stream().mapToInt(Columns::width).max().orElse(0);
    natural = Math.max(natural, Columns.width(nameHeading));
    int least = Math.min(natural, Math.max(LEAST_NAME, 2 * width / 5));
    StringBuilder out = new StringBuilder();
    int from = 0;
    do {
      int to = fitting(from, width, least);
      if (from > 0) {
        out.append('\n');
      }
      block(out, from, to, width, least, natural, colour);
      from = to;
    } while (from < columns.size());
    return out.toString();
  }

  /** The end of the longest run of columns from {@code from} that fits; one at least. */
  private int fitting(int from, int width, int nameWidth) {
    int used = nameWidth;
    int end = from;
    while (end < columns.size()) {
      int next = end + 1;
      while (next < columns.size() && columns.get(next).joined()) {
        next++;
      }
      int group = 0;
      for (int c = end; c < next; c++) {
        group += GAP.length() + columnWidth(c);
      }
      if (used + group > width && end > from) {
        break;
      }
      if (used + group > width) {
        return fittingSingly(from, next, width, nameWidth);
      }
      used += group;
      end = next;
    }
    return end;
  }

  /** Where even joined columns are too wide together they are parted. */
  private int fittingSingly(int from, int to, int width, int nameWidth) {
    int used = nameWidth;
    int end = from;
    while (end < to && (end == from || used + GAP.length() + columnWidth(end) <= width)) {
      used += GAP.length() + columnWidth(end);
      end++;
    }
    return end;
  }

  private int columnWidth(int column) {
    int widest = Columns.width(columns.get(column).heading());
    for (List<Cell> row : rows) {
      widest = Math.max(widest, Columns.width(row.get(column).text()));
    }
    return widest;
  }

  private void block(
      StringBuilder out, int from, int to, int width, int least, int natural, boolean colour) {
    int[] widths = new int[to - from];
    int used = 0;
    for (int c = from; c < to; c++) {
      // A single column may itself be too wide: then it is cut, and names keep a place.
      int most = width - GAP.length() - least;
      widths[c - from] = Math.min(columnWidth(c), most);
      used += GAP.length() + widths[c - from];
    }
    int nameWidth = Math.min(natural, width - used);
    List<String> shown = Columns.shortenAll(names, nameWidth);

    StringBuilder head = new StringBuilder(name(nameHeading, nameWidth));
    for (int c = from; c < to; c++) {
      head.append(GAP).append(cell(columns.get(c).heading(), widths[c - from]));
    }
    line(out, Style.BOLD.apply(head.toString().stripTrailing(), colour));
    for (int r = 0; r < rows.size(); r++) {
      StringBuilder text = new StringBuilder(name(shown.get(r), nameWidth));
      for (int c = from; c < to; c++) {
        Cell cell = rows.get(r).get(c);
        text.append(GAP).append(cell.style().apply(cell(cell.text(), widths[c - from]), colour));
      }
      line(out, text.toString());
    }
  }

  private static void line(StringBuilder out, String text) {
    out.append(text.stripTrailing()).append('\n');
  }

  private static String name(String text, int width) {
    return Columns.padRight(Columns.shorten(text, width), width);
  }

  private static String cell(String text, int width) {
    return Columns.padLeft(Columns.shorten(text, width), width);
  }
}
