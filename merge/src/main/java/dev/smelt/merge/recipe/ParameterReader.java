package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import dev.smelt.merge.MergeMethods;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Nearest;
import dev.smelt.merge.method.Parameter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/** Reads what a recipe says of the parameters of its method. */
final class ParameterReader {

  /** Arithmetic of mergekit's that saves memory; ours is exact without. */
  static final String INT8_MASK = "int8_mask";

  private static final String FILTER = "filter";
  private static final String VALUE = "value";

  private final MethodDescription method;
  private final List<String> notes;

  /**
   * @param notes to which is added what has no effect
   */
  ParameterReader(MethodDescription method, List<String> notes) {
    this.method = method;
    this.notes = notes;
  }

  /**
   * Parameters of the document, a module or a slice.
   *
   * @throws CorruptException when the method has no such parameter, or no such value of it
   */
  Map<String, Setting> read(Optional<Yaml> parameters) {
    Map<String, Setting> settings = new LinkedHashMap<>();
    for (Map.Entry<String, Yaml.Entry> entry : entries(parameters).entrySet()) {
      if (entry.getKey().equals(INT8_MASK)) {
        notes.add(INT8_MASK + " has no effect: no mask is kept, and arithmetic is in f64");
        continue;
      }
      Parameter parameter = parameter(entry.getKey(), entry.getValue().place());
      settings.put(parameter.name(), setting(parameter, entry.getValue().value()));
    }
    return settings;
  }

  /**
   * Parameters of one of the models: of those that each model has for itself, or, where there is
   * one model, all of them.
   */
  Map<String, Setting> readOfModel(Optional<Yaml> parameters) {
    Map<String, Setting> settings = read(parameters);
    boolean ofOneModel = method.inputs().models() == MethodDescription.Models.ONE;
    for (Map.Entry<String, Setting> entry : settings.entrySet()) {
      Parameter parameter = method.parameter(entry.getKey()).orElseThrow();
      if (parameter.scope() == Parameter.Scope.MERGE && !ofOneModel) {
        throw new CorruptException(
            "parameter in the wrong place",
            entry.getValue().place().toString(),
            entry.getKey() + " of " + method.name() + " is one for all models",
            "move it to the parameters of the document or the slice");
      }
    }
    return settings;
  }

  private static Map<String, Yaml.Entry> entries(Optional<Yaml> parameters) {
    return parameters.map(found -> found.fields("parameters").all()).orElse(new LinkedHashMap<>());
  }

  private Parameter parameter(String name, Place place) {
    return method.parameter(name).orElseThrow(() -> unknown(name, place));
  }

  private CorruptException unknown(String name, Place place) {
    List<String> own = method.parameters().stream().map(Parameter::name).toList();
    List<String> others =
        MergeMethods.all().stream()
            .filter(other -> other.parameter(name).isPresent())
            .map(MethodDescription::name)
            .toList();
    if (!others.isEmpty()) {
      return new CorruptException(
          "parameter of another method",
          place.toString(),
          name + " is of " + String.join(", ", others) + ", not of " + method.name(),
          "leave it out");
    }
    TreeSet<String> known = new TreeSet<>(own);
    MergeMethods.all().stream()
        .flatMap(other -> other.parameters().stream())
        .forEach(parameter -> known.add(parameter.name()));
    String advice =
        Nearest.to(name, own.isEmpty() ? known : own).isPresent()
                || Nearest.to(name, known).isEmpty()
            ? Nearest.advice(name, own)
            : Nearest.advice(name, known);
    return new CorruptException(
        "unknown parameter", place.toString(), name + " of " + method.name(), advice);
  }

  private Setting setting(Parameter parameter, Yaml value) {
    List<Setting.Case> cases = new ArrayList<>();
    if (value instanceof Yaml.Items items
        && items.all().stream().anyMatch(ParameterReader::isCase)) {
      items.all().forEach(item -> cases.add(ofFields(parameter, item.fields(parameter.name()))));
    } else if (value instanceof Yaml.Fields fields) {
      cases.add(ofFields(parameter, fields));
    } else {
      cases.add(new Setting.Case(Optional.empty(), points(parameter, value)));
    }
    return new Setting(value.place(), cases);
  }

  private static boolean isCase(Yaml item) {
    return item instanceof Yaml.Fields;
  }

  private Setting.Case ofFields(Parameter parameter, Yaml.Fields fields) {
    fields.only("a value with a filter", List.of(FILTER, VALUE));
    Optional<String> filter = fields.find(FILTER).map(text -> text.scalar(FILTER).text());
    return new Setting.Case(filter, points(parameter, fields.get(VALUE, "a value with a filter")));
  }

  private List<Double> points(Parameter parameter, Yaml value) {
    if (!(value instanceof Yaml.Items items)) {
      return List.of(number(parameter, value));
    }
    if (!(parameter.kind() instanceof Parameter.OfNumbers)) {
      throw value.refusal(
          "invalid " + parameter.name(), parameter.range(), "only numbers have gradients");
    }
    if (items.all().isEmpty()) {
      throw value.refusal("invalid " + parameter.name(), "at least one number", "");
    }
    return items.all().stream().map(item -> number(parameter, item)).toList();
  }

  private double number(Parameter parameter, Yaml value) {
    return of(parameter, value)
        .filter(parameter::allows)
        .orElseThrow(() -> value.refusal("invalid " + parameter.name(), parameter.range(), ""));
  }

  private static Optional<Double> of(Parameter parameter, Yaml value) {
    if (!(value instanceof Yaml.Scalar scalar)) {
      return Optional.empty();
    }
    return switch (parameter.kind()) {
      case Parameter.OfNumbers _, Parameter.OfWholes _ -> scalar.number();
      case Parameter.OfFlags _ -> scalar.flag().map(flag -> flag ? 1.0 : 0.0).or(scalar::number);
      case Parameter.OfWords(List<String> words, String _) ->
          Optional.of((double) words.indexOf(scalar.text()));
    };
  }
}
