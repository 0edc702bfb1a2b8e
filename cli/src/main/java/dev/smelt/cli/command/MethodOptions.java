package dev.smelt.cli.command;

import dev.smelt.formats.UsageException;
import dev.smelt.merge.MergeMethods;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Nearest;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Parameter.OfFlags;
import dev.smelt.merge.method.Parameter.OfNumbers;
import dev.smelt.merge.method.Parameter.OfWholes;
import dev.smelt.merge.method.Parameter.OfWords;
import dev.smelt.merge.method.Values;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** An option for every parameter of the methods of merging. */
final class MethodOptions {

  private MethodOptions() {}

  /** Adds them, with what the methods say of them. */
  static void addTo(CommandSpec spec) {
    for (List<Use> uses : byName().values()) {
      Parameter parameter = uses.getFirst().parameter();
      OptionSpec.Builder option =
          OptionSpec.builder(parameter.option()).description(description(uses));
      switch (parameter.kind()) {
        case OfFlags _ -> option.type(boolean.class).negatable(true).arity("0");
        case OfWords(List<String> words, String _) ->
            option.type(String.class).arity("1").paramLabel(String.join("|", words));
        case OfNumbers _, OfWholes _ ->
            option
                .type(List.class)
                .auxiliaryTypes(Double.class)
                .arity("1")
                .paramLabel(parameter.name().substring(0, 1).toUpperCase(Locale.ROOT));
      }
      spec.addOption(option.build());
    }
  }

  /** A parameter as one of the methods has it. */
  private record Use(MethodDescription method, Parameter parameter) {}

  private static Map<String, List<Use>> byName() {
    Map<String, List<Use>> byName = new LinkedHashMap<>();
    for (MethodDescription method : MergeMethods.all()) {
      for (Parameter parameter : method.parameters()) {
        byName
            .computeIfAbsent(parameter.name(), _ -> new ArrayList<>())
            .add(new Use(method, parameter));
      }
    }
    return byName;
  }

  /** Methods that mean the same by it are named together. */
  private static String description(List<Use> uses) {
    Map<String, List<String>> methods =
        uses.stream()
            .collect(
                Collectors.groupingBy(
                    use -> text(use.parameter()),
                    LinkedHashMap::new,
                    Collectors.mapping(use -> use.method().name(), Collectors.toList())));
    return methods.entrySet().stream()
        .map(entry -> String.join(", ", entry.getValue()) + ": " + entry.getKey())
        .collect(Collectors.joining("; ", "", "."));
  }

  private static String text(Parameter parameter) {
    String unless =
        parameter.kind() instanceof OfFlags flag
            ? (flag.standard() ? "on" : "off")
            : parameter.standard();
    return parameter.meaning() + " (" + unless + ")";
  }

  /**
   * What was given, by the names of parameters.
   *
   * @throws UsageException when the method has no such parameter
   */
  static Map<String, Values.Given> given(ParseResult line, MethodDescription method) {
    Map<String, Values.Given> given = new LinkedHashMap<>();
    byName()
        .forEach(
            (name, uses) -> {
              String option = uses.getFirst().parameter().option();
              if (line.hasMatchedOption(option)) {
                Useless.refuse(
                    option, method.parameter(name).isEmpty(), "with --method " + method.name());
                given.put(
                    name,
                    new Values.Given(
                        option,
                        values(
                            uses.getFirst().parameter(),
                            line.matchedOptionValue(option, List.of()))));
              }
            });
    return given;
  }

  private static List<Double> values(Parameter parameter, Object typed) {
    return switch (typed) {
      case Boolean flag -> List.of(flag ? 1.0 : 0.0);
      case String word -> List.of((double) place(parameter, word));
      case List<?> numbers -> numbers.stream().map(Double.class::cast).toList();
      default -> throw new IllegalStateException("neither flag, word nor numbers: " + typed);
    };
  }

  private static int place(Parameter parameter, String word) {
    List<String> words =
        parameter.kind() instanceof OfWords(List<String> known, String _) ? known : List.of();
    int place = words.indexOf(word);
    if (place < 0) {
      throw new UsageException(
          parameter.option() + " " + word + ": there is no such choice",
          Nearest.advice(word, words));
    }
    return place;
  }
}
