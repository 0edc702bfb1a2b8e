package dev.smelt.formats.model;

/** The axes of a matrix W [out, in]. */
public enum Axis {
  /** Its rows. */
  OUTPUT("row"),

  /** Its columns. */
  INPUT("column");

  private final String word;

  Axis(String word) {
    this.word = word;
  }

  /** One of its indices: "row" or "column". */
  String word() {
    return word;
  }

  /** "rows" or "columns". */
  @Override
  public String toString() {
    return word + "s";
  }
}
