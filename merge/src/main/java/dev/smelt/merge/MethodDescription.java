package dev.smelt.merge;

import java.util.List;

/**
 * What a method says of itself; help texts and documentation are made from this.
 *
 * @param name as in {@code --method}
 * @param summary one sentence
 * @param equation what it computes per element
 * @param reference the paper
 */
public record MethodDescription(
    String name, String summary, String equation, String reference, List<Parameter> parameters) {

  public MethodDescription {
    parameters = List.copyOf(parameters);
  }

  /** Whether the option means something to the method. */
  public boolean has(String option) {
    return parameters.stream().anyMatch(parameter -> parameter.option().equals(option));
  }

  /**
   * @param option on the command line
   * @param range of allowed values, in words
   * @param standard the value when the option is absent
   */
  public record Parameter(String option, String meaning, String range, String standard) {}
}
