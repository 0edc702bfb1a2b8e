package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.UsageException;
import java.util.regex.Matcher;

/** Which zeros may stand beside each other. */
public sealed interface Pattern {

  /** Any. */
  record Unstructured() implements Pattern {
    @Override
    public String toString() {
      return "unstructured";
    }
  }

  /**
   * Of every {@code of} weights of an output that stand beside each other, {@code kept} are kept at
   * most: 2:4.
   */
  record Groups(int kept, int of) implements Pattern {

    /** Wider groups are no pattern that anything knows. */
    private static final int MAX = 1024;

    /**
     * @throws UsageException when nothing would be kept, or everything
     */
    public Groups {
      if (kept < 1 || kept >= of || of > MAX) {
        throw new UsageException(
            "no pattern of " + kept + " kept of " + of,
            "use N:M with 1 <= N < M <= " + MAX + ", such as 2:4");
      }
    }

    /** The share that goes. */
    public double sparsity() {
      return 1 - (double) kept / of;
    }

    /**
     * @throws UsageException when groups do not fill the rows of the layer
     */
    public void requireFit(Layer layer) {
      if (layer.storedIn() % of != 0) {
        throw new UsageException(
            String.format(
                "groups of %d do not fill the %,d inputs of %s",
                of, layer.storedIn(), layer.weight().name()),
            "pass --exclude " + layer.module());
      }
    }

    @Override
    public String toString() {
      return kept + ":" + of;
    }
  }

  /**
   * Reads "unstructured" or N:M.
   *
   * @throws UsageException on anything else
   */
  static Pattern parse(String text) {
    if (text.equals("unstructured")) {
      return new Unstructured();
    }
    Matcher groups = java.util.regex.Pattern.compile("(\\d{1,4}):(\\d{1,4})").matcher(text);
    if (!groups.matches()) {
      throw new UsageException(
          "no such pattern '" + text + "'",
          "use unstructured, N:M such as 2:4, neurons, heads or blocks");
    }
    return new Groups(Integer.parseInt(groups.group(1)), Integer.parseInt(groups.group(2)));
  }
}
