package dev.smelt.compress.structure;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

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

  /** The one that is so called on the command line. */
  public static Optional<StructurePattern> named(String text) {
    return Arrays.stream(values()).filter(pattern -> pattern.toString().equals(text)).findFirst();
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
