package dev.smelt.merge.method;

/**
 * Something of a method that its user may set; options of the command line, keys of recipes and
 * documentation are made from this.
 *
 * @param name as recipes have it, the one mergekit uses where it has such a parameter
 * @param perModel whether each model has a value of its own
 * @param meaning half a sentence
 */
public record Parameter(String name, Kind kind, boolean perModel, String meaning) {

  /** What values there are, and the one that holds where none is given. */
  public sealed interface Kind {}

  public record OfNumbers(Range range, double standard) implements Kind {}

  public record OfWholes(long least, long most, long standard) implements Kind {}

  public record OfFlags(boolean standard) implements Kind {}

  /** A number for all models together. */
  public static Parameter number(String name, double standard, Range range, String meaning) {
    return new Parameter(name, new OfNumbers(range, standard), false, meaning);
  }

  /** A number for each model. */
  public static Parameter perModel(String name, double standard, Range range, String meaning) {
    return new Parameter(name, new OfNumbers(range, standard), true, meaning);
  }

  public static Parameter whole(String name, long standard, long least, long most, String meaning) {
    return new Parameter(name, new OfWholes(least, most, standard), false, meaning);
  }

  public static Parameter flag(String name, boolean standard, String meaning) {
    return new Parameter(name, new OfFlags(standard), false, meaning);
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
    };
  }

  /** The value that holds where none is given, in words. */
  public String standard() {
    return switch (kind) {
      case OfNumbers(Range _, double standard) -> number(standard);
      case OfWholes(long _, long _, long standard) -> Long.toString(standard);
      case OfFlags(boolean standard) -> Boolean.toString(standard);
    };
  }

  private static String number(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e6
        ? Long.toString((long) value)
        : Double.toString(value);
  }
}
