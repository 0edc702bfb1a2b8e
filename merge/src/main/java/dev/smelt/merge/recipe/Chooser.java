package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UsageException;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Values;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The method of a slice with the parameters that hold for a tensor. What stands at a source goes
 * before what stands at the slice, the module and the document, in this order.
 */
final class Chooser {

  private final Stage stage;
  private final OutputSlice slice;
  private final Operation operation;

  /** By the values that were given. */
  private final Map<Map<String, List<Double>>, MergeMethod> made = new HashMap<>();

  Chooser(Stage stage, OutputSlice slice, Operation operation) {
    this.stage = stage;
    this.slice = slice;
    this.operation = operation;
  }

  /** A method and all its parameters: one value, or one for each model. */
  record Chosen(MergeMethod method, Map<String, List<Double>> values) {}

  /**
   * @param output name of the tensor as written
   * @param names that it has in the models, without the base
   * @param t its place among the blocks of the slice
   */
  Chosen of(String output, List<String> names, double t) {
    Map<String, List<Double>> given = new LinkedHashMap<>();
    Map<String, List<Double>> all = new LinkedHashMap<>();
    for (Parameter parameter : stage.method().parameters()) {
      Optional<List<Double>> found =
          parameter.scope() == Parameter.Scope.MERGE
              ? one(parameter.name(), output, names, t).map(List::of)
              : perModel(parameter, names, t);
      found.ifPresent(values -> given.put(parameter.name(), values));
      all.put(parameter.name(), found.orElseGet(() -> List.of(parameter.standardValue())));
    }
    return new Chosen(made.computeIfAbsent(given, values -> method(values, output)), all);
  }

  private Optional<Double> one(String name, String output, List<String> names, double t) {
    Optional<Double> ofModel =
        names.size() == 1
            ? at(operation.models().getFirst().parameters(), name, names.getFirst(), t)
            : Optional.empty();
    return ofModel.or(() -> shared(name, output, t));
  }

  private Optional<Double> shared(String name, String tensor, double t) {
    Optional<Double> value = at(slice.parameters(), name, tensor, t);
    for (Map<String, Setting> outer : stage.parameters()) {
      value = value.or(() -> at(outer, name, tensor, t));
    }
    return value;
  }

  private static Optional<Double> at(
      Map<String, Setting> settings, String name, String tensor, double t) {
    return Optional.ofNullable(settings.get(name)).flatMap(setting -> setting.at(tensor, t));
  }

  private Optional<List<Double>> perModel(Parameter parameter, List<String> names, double t) {
    List<Optional<Double>> found = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      String tensor = names.get(i);
      found.add(
          at(operation.models().get(i).parameters(), parameter.name(), tensor, t)
              .or(() -> shared(parameter.name(), tensor, t)));
    }
    if (found.stream().allMatch(Optional::isEmpty)) {
      return Optional.empty();
    }
    if (parameter.scope() == Parameter.Scope.EACH_MODEL) {
      requireAll(parameter, names, found);
    }
    return Optional.of(
        found.stream().map(value -> value.orElse(parameter.standardValue())).toList());
  }

  private void requireAll(Parameter parameter, List<String> names, List<Optional<Double>> found) {
    for (int i = 0; i < found.size(); i++) {
      if (found.get(i).isEmpty()) {
        Source source = operation.models().get(i);
        throw new CorruptException(
            "missing parameter",
            source.place().toString(),
            "no "
                + parameter.name()
                + " of "
                + source.model()
                + " for "
                + names.get(i)
                + ", though other models have one",
            "give one, without a filter for the rest of the tensors");
      }
    }
  }

  private MergeMethod method(Map<String, List<Double>> values, String output) {
    Map<String, Values.Given> given = new LinkedHashMap<>();
    values.forEach((name, numbers) -> given.put(name, new Values.Given(name, numbers)));
    try {
      return stage
          .method()
          .factory()
          .create(
              new Values(
                  stage.method(), operation.models().size(), operation.base().isPresent(), given));
    } catch (UsageException e) {
      throw new CorruptException(
          "values do not go together",
          slice.place().toString(),
          "for " + output + ": " + e.getMessage(),
          "");
    }
  }
}
