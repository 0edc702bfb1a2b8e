package dev.smelt.merge.method;

import dev.smelt.formats.UsageException;
import dev.smelt.merge.method.Parameter.OfWords;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Values of a method's parameters, each within its range; what is not given has its standard. */
public final class Values {

  private final MethodDescription method;
  private final int models;
  private final boolean onBase;
  private final Map<String, Given> given;

  /**
   * @param label how its user calls the parameter, for messages
   * @param values one for each model, or one that holds for all; of a flag 0 or 1, of a word its
   *     place among the words that there are
   */
  public record Given(String label, List<Double> values) {

    public Given {
      values = List.copyOf(values);
    }
  }

  /**
   * @param models how many there are, beside a base
   * @param onBase whether there is one
   * @param given by the names of parameters
   * @throws UsageException when a value is out of range, there are too few or too many of them, or
   *     the method takes other models
   */
  public Values(MethodDescription method, int models, boolean onBase, Map<String, Given> given) {
    this.method = method;
    this.models = models;
    this.onBase = onBase;
    this.given = new HashMap<>(given);
    requireModels();
    given.forEach((name, values) -> require(parameter(name), values));
  }

  private void requireModels() {
    MethodDescription.Inputs inputs = method.inputs();
    if (!inputs.models().allows(models)) {
      throw new UsageException(
          method.name() + " is of " + inputs.models() + " models, found " + models,
          "name as many, one after another");
    }
    if (onBase && inputs.base() == MethodDescription.Base.NONE) {
      throw new UsageException(method.name() + " has no base", "leave the base out");
    }
    if (!onBase && inputs.base() == MethodDescription.Base.REQUIRED) {
      throw new UsageException("--method " + method.name() + " needs a base", "give --base");
    }
  }

  private void require(Parameter parameter, Given values) {
    int count = values.values().size();
    boolean enough =
        switch (parameter.scope()) {
          case MERGE -> count == 1;
          case MODEL -> count == 1 || count == models;
          case EACH_MODEL -> count == models;
        };
    if (!enough) {
      throw new UsageException(
          count + " values of " + values.label() + " for " + models + " models",
          switch (parameter.scope()) {
            case MERGE -> "give it once";
            case MODEL -> "give it once per model, in order, or once for all";
            case EACH_MODEL -> "give it once per model, in order";
          });
    }
    for (double value : values.values()) {
      if (!parameter.allows(value)) {
        throw new UsageException(
            values.label() + " " + value + " is out of range", "allowed is: " + parameter.range());
      }
    }
  }

  private Parameter parameter(String name) {
    return method
        .parameter(name)
        .orElseThrow(() -> new IllegalArgumentException(method.name() + " has no " + name));
  }

  /** How many there are, beside a base. */
  public int models() {
    return models;
  }

  public boolean onBase() {
    return onBase;
  }

  public double number(String name) {
    return perModel(name).getFirst();
  }

  public long whole(String name) {
    return (long) number(name);
  }

  public boolean flag(String name) {
    return number(name) != 0;
  }

  public String word(String name) {
    return switch (parameter(name).kind()) {
      case OfWords(List<String> words, String _) -> words.get((int) number(name));
      default -> throw new IllegalArgumentException(name + " is no word");
    };
  }

  /**
   * @param why "with rest linear"
   * @throws UsageException when the parameter was given though it means nothing
   */
  public void refuse(String name, String why) {
    Given values = given.get(name);
    if (values != null) {
      throw new UsageException(values.label() + " has no effect " + why, "leave it out");
    }
  }

  /** One for each model. */
  public List<Double> perModel(String name) {
    Given values = given.get(name);
    if (values == null) {
      return Collections.nCopies(models, parameter(name).standardValue());
    }
    return values.values().size() == 1
        ? Collections.nCopies(models, values.values().getFirst())
        : values.values();
  }
}
