package dev.smelt.merge.method;

import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** What a misspelt name was meant to be. */
public final class Nearest {

  /** Names that take more edits than this share of their letters are other names. */
  private static final double LIKE = 0.5;

  private Nearest() {}

  /** Of those few edits away, the nearest; of equals the first. */
  public static Optional<String> to(String name, Collection<String> known) {
    return known.stream()
        .filter(other -> edits(name, other) <= LIKE * Math.max(name.length(), other.length()))
        .min(Comparator.comparingInt(other -> edits(name, other)));
  }

  /** "did you mean linear?", or what there is. */
  public static String advice(String name, Collection<String> known) {
    return to(name, known)
        .map(nearest -> "did you mean " + nearest + "?")
        .orElse("there are " + String.join(", ", known));
  }

  /** Letters inserted, removed or replaced: Levenshtein's distance. */
  static int edits(String a, String b) {
    int[] row = new int[b.length() + 1];
    Arrays.setAll(row, j -> j);
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
