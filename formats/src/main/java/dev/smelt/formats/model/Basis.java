package dev.smelt.formats.model;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A factor that several modules have in common, stored once: the tensor {@code smelt.basis.<k>}.
 *
 * @param number k, from 0
 */
public record Basis(int number) implements Comparable<Basis> {

  /** What names of bases begin with, and those of no other tensors may. */
  private static final String PREFIX = "smelt.basis.";

  /** As numbers are written; 9 digits are an int, and more clusters than any model has matrices. */
  private static final Pattern NAME = Pattern.compile("smelt\\.basis\\.(0|[1-9][0-9]{0,8})");

  /**
   * @throws IllegalArgumentException when the number is negative
   */
  public Basis {
    if (number < 0) {
      throw new IllegalArgumentException("expected a number of a basis >= 0, found " + number);
    }
  }

  /** The basis whose tensor has that name; empty where it is no such name. */
  public static Optional<Basis> named(String name) {
    Matcher matcher = NAME.matcher(name);
    return matcher.matches()
        ? Optional.of(new Basis(Integer.parseInt(matcher.group(1))))
        : Optional.empty();
  }

  /** The basis that a tensor holds, or has the scales of; empty where it does neither. */
  public static Optional<Basis> heldBy(String name) {
    return named(LowRank.withoutScale(name));
  }

  /** Whether a tensor must be a basis because it is named like one, rightly or wrongly. */
  static boolean isReserved(String name) {
    return name.startsWith(PREFIX);
  }

  /** The name of its tensor. */
  public String name() {
    return PREFIX + number;
  }

  @Override
  public int compareTo(Basis other) {
    return Integer.compare(number, other.number);
  }

  @Override
  public String toString() {
    return name();
  }
}
