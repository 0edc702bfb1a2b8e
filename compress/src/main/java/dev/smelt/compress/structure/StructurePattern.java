package dev.smelt.compress.structure;

import java.util.Locale;

/** What is left out as a whole. */
public enum StructurePattern {
  /** Hidden units of perceptrons. */
  NEURONS("hidden units"),
  /** Heads of attention; where several heads of queries share one of keys and values, all these. */
  HEADS("heads"),
  /** Whole blocks of attention and perceptron. */
  BLOCKS("blocks");

  private final String units;

  StructurePattern(String units) {
    this.units = units;
  }

  /** For people: "hidden units". */
  public String units() {
    return units;
  }

  /** As on the command line. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
