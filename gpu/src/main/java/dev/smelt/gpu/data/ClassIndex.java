package dev.smelt.gpu.data;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UsageException;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Labels as data write them, and the classes they mean.
 *
 * @param names of the classes by index; empty where the network says nothing of them
 */
record ClassIndex(List<String> names) {

  ClassIndex {
    names = List.copyOf(names);
  }

  /** Whether names are unknown, or those that transformers makes up: LABEL_0, LABEL_1 …. */
  boolean isUnnamed() {
    return IntStream.range(0, names.size()).allMatch(i -> names.get(i).equals("LABEL_" + i));
  }

  /** Whether there is a class of this known index or name. */
  boolean has(String text) {
    return names.contains(text) || (number(text) >= 0 && number(text) < names.size());
  }

  /**
   * A label by the index or the name of its class; an index first.
   *
   * @throws CorruptException when there is no such class
   * @throws UsageException when names are not known
   */
  int of(String text, String where) {
    int index = number(text);
    if (index < 0 || (!names.isEmpty() && index >= names.size())) {
      index = names.indexOf(text);
    }
    if (index >= 0) {
      return index;
    }
    if (names.isEmpty()) {
      throw new UsageException(
          "label '" + text + "' of a network whose classes have no known names [" + where + "]",
          "give labels as whole numbers from 0");
    }
    throw unknown("'" + text + "'", where);
  }

  /** A label that is an index. */
  int of(long index, String where) {
    if (index < 0 || index > Integer.MAX_VALUE || (!names.isEmpty() && index >= names.size())) {
      throw unknown(String.valueOf(index), where);
    }
    return (int) index;
  }

  private CorruptException unknown(String found, String where) {
    String expected =
        names.isEmpty() ? "0 or more" : "0 to " + (names.size() - 1) + " or one of " + names;
    return new CorruptException(
        "unknown label", where, "expected " + expected + ", found " + found, "");
  }

  /** The number that {@code text} is in its shortest form, or -1. */
  static int number(String text) {
    return text.matches("0|[1-9]\\d{0,8}") ? Integer.parseInt(text) : -1;
  }
}
