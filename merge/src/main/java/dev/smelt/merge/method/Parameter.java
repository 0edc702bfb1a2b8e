package dev.smelt.merge.method;

import java.util.List;

/**
 * Something of a method that its user may set; options of the command line, keys of recipes and
 * documentation are made from this.
 *
 * @param name as recipes have it, the one mergekit uses where it has such a parameter
 * @param scope whose value it is
 * @param meaning half a sentence
 */
public record Parameter(String name, Kind kind, Scope scope, String meaning) {

  /** How many values there may be. */
  public enum Scope {
    /** One. */
    MERGE,
    /** One for each model, or one that holds for all. */
    MODEL,
    /** One for each model: with one alone, something was forgotten. */
    EACH_MODEL
  }

  /** What values there are, and the one that holds where none is given. */
  public sealed interface Kind {}

  public record OfNumbers(Range range, double standard) implements Kind {}

  public record OfWholes(long least, long most, long standard) implements Kind {}

  public record OfFlags(boolean standard) implements Kind {}

  /** One of several words. */
  public record OfWords(List<String> words, String standard) implements Kind {

    public OfWords {
      words = List.copyOf(words);
      if (!words.contains(standard)) {
        throw new IllegalArgumentException(standard + " is none of " + words);
      }
    }
  }

  /** A number for all models together. */
  public static Parameter number(String name, double standard, Range range, String meaning) {
    return new Parameter(name, new OfNumbers(range, standard), Scope.MERGE, meaning);
  }

  /** A number for each model. */
  public static Parameter perModel(String name, double standard, Range range, String meaning) {
    return new Parameter(name, new OfNumbers(range, standard), Scope.MODEL, meaning);
  }

  /** How much each model counts; 1 where nothing is said. */
  public static Parameter weight(Range range, String meaning) {
    return new Parameter("weight", new OfNumbers(range, 1), Scope.EACH_MODEL, meaning);
  }

  public static Parameter whole(String name, long standard, long least, long most, String meaning) {
    return new Parameter(name, new OfWholes(least, most, standard), Scope.MERGE, meaning);
  }

  public static Parameter flag(String name, boolean standard, String meaning) {
    return new Parameter(name, new OfFlags(standard), Scope.MERGE, meaning);
  }

  public static Parameter word(String name, String standard, List<String> words, String meaning) {
    return new Parameter(name, new OfWords(words, standard), Scope.MERGE, meaning);
  }

  /** On the command line. */
  public String option() {
    return "--" + name.replace('_', '-');
  }

  /** Of allowed values, in words. */
  public String range() {
    return switch (kind) {
      case OfNumbers(Range range, double _) -> range.toString();
      case OfWholes(long least, long most, long _) ->
          most == Long.MAX_VALUE ? "whole, >= " + least : "whole, " + least + " to " + most;
      case OfFlags _ -> "true or false";
      case OfWords(List<String> words, String _) -> String.join(", ", words);
    };
  }

  /** Whether it may have this value; of a flag 0 or 1, of words their place. */
  public boolean allows(double value) {
    return switch (kind) {
      case OfNumbers(Range range, double _) -> range.contains(value);
      case OfWholes(long least, long most, long _) ->
          value == Math.rint(value) && value >= least && value <= most;
      case OfFlags _ -> value == 0 || value == 1;
      case OfWords(List<String> words, String _) ->
          value == Math.rint(value) && value >= 0 && value < words.size();
    };
  }

  /** The value that holds where none is given; of a flag 0 or 1, of words their place. */
  public double standardValue() {
    return switch (kind) {
      case OfNumbers(Range _, double standard) -> standard;
      case OfWholes(long _, long _, long standard) -> standard;
      case OfFlags(boolean standard) -> standard ? 1 : 0;
      case OfWords(List<String> words, String standard) -> words.indexOf(standard);
    };
  }

  /** The value that holds where none is given, in words. */
  public String standard() {
    return switch (kind) {
      case OfNumbers(Range _, double standard) -> number(standard);
      case OfWholes(long _, long _, long standard) -> Long.toString(standard);
      case OfFlags(boolean standard) -> Boolean.toString(standard);
      case OfWords(List<String> _, String standard) -> standard;
    };
  }

  private static String number(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e6
        ? Long.toString((long) value)
        : Double.toString(value);
  }
}
