package dev.smelt.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Columns of text, aligned: the first to the left, numbers to the right. */
public final class TextTable {

  private static final String GAP = "  ";

  private final boolean[] left;
  private final List<String[]> rows = new ArrayList<>();

  /**
   * @param heads of the columns; one that ends in '&lt;' is aligned to the left, without the sign
   */
  public TextTable(String... heads) {
    left = new boolean[heads.length];
    String[] titles = new String[heads.length];
    for (int i = 0; i < heads.length; i++) {
      left[i] = heads[i].endsWith("<");
      titles[i] = left[i] ? heads[i].substring(0, heads[i].length() - 1) : heads[i];
    }
    rows.add(titles);
  }

  public void row(String... cells) {
    if (cells.length != left.length) {
      throw new IllegalArgumentException(left.length + " columns, " + cells.length + " cells");
    }
    rows.add(cells.clone());
  }

  /** Lines with a final newline each. */
  @Override
  public String toString() {
    int[] widths = new int[left.length];
    for (String[] row : rows) {
      Arrays.setAll(widths, i -> Math.max(widths[i], row[i].length()));
    }
    StringBuilder text = new StringBuilder();
    for (String[] row : rows) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < row.length; i++) {
        String pad = " ".repeat(widths[i] - row[i].length());
        line.append(i == 0 ? "" : GAP).append(left[i] ? row[i] + pad : pad + row[i]);
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }
}
