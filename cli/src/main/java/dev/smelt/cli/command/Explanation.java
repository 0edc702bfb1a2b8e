package dev.smelt.cli.command;

import dev.smelt.formats.Shape;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.plan.MergePlan;
import dev.smelt.merge.recipe.Stage;
import dev.smelt.merge.recipe.StagePlan;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** What a recipe would do, for people and as JSON. */
record Explanation(String recipe, List<OfStage> stages) {

  Explanation {
    stages = List.copyOf(stages);
  }

  /**
   * @param name of the stage; null where it makes the output
   * @param dropped tensors of the models that have no place in the output
   */
  record OfStage(
      @Nullable String name,
      String method,
      List<OfTensor> tensors,
      List<String> dropped,
      List<String> notes) {}

  /**
   * @param method null where it is copied
   * @param parameters that hold for it
   * @param sources model|tensor, in the order of the method
   * @param reason why it is copied; null where it is merged
   */
  record OfTensor(
      String name,
      String dtype,
      List<Long> shape,
      @Nullable String method,
      @Nullable Map<String, Object> parameters,
      List<String> sources,
      @Nullable String reason) {}

  static OfStage of(Stage stage, StagePlan plan) {
    return new OfStage(
        stage.name().orElse(null),
        stage.method().name(),
        plan.plan().tensors().stream().map(tensor -> of(plan, tensor)).toList(),
        plan.plan().dropped().stream()
            .map(
                one ->
                    plan.plan().models().get(one.model() - 1)
                        + "|"
                        + one.tensor().name()
                        + ": "
                        + one.reason())
            .toList(),
        plan.plan().notes());
  }

  private static OfTensor of(StagePlan plan, MergePlan.Planned planned) {
    String dtype = planned.output().dtype().label();
    List<Long> shape = sizes(planned.output().shape());
    return switch (planned) {
      case MergePlan.Merged tensor ->
          new OfTensor(
              tensor.output().name(),
              dtype,
              shape,
              tensor.method().description().name(),
              parameters(plan, tensor.method()),
              where(tensor.operands().theta()),
              null);
      case MergePlan.Copied tensor ->
          new OfTensor(
              tensor.output().name(),
              dtype,
              shape,
              null,
              null,
              where(List.of(tensor.source())),
              tensor.reason());
    };
  }

  private static List<String> where(List<Operand> operands) {
    return operands.stream().map(Operand::where).toList();
  }

  private static Map<String, Object> parameters(StagePlan plan, MergeMethod method) {
    Map<String, List<Double>> values = plan.values().getOrDefault(method, Map.of());
    Map<String, Object> parameters = new LinkedHashMap<>();
    for (Parameter parameter : method.description().parameters()) {
      List<Double> found = values.getOrDefault(parameter.name(), List.of());
      List<Object> shown = found.stream().map(value -> shown(parameter, value)).toList();
      if (!shown.isEmpty()) {
        parameters.put(parameter.name(), shown.size() == 1 ? shown.getFirst() : shown);
      }
    }
    return parameters;
  }

  private static Object shown(Parameter parameter, double value) {
    return switch (parameter.kind()) {
      case Parameter.OfNumbers _ -> value;
      case Parameter.OfWholes _ -> (long) value;
      case Parameter.OfFlags _ -> value != 0;
      case Parameter.OfWords(List<String> words, String _) -> words.get((int) value);
    };
  }

  private static List<Long> sizes(Shape shape) {
    return IntStream.range(0, shape.rank()).mapToObj(shape::size).toList();
  }

  /** For people: what is written, and below it from what. */
  String text() {
    List<String> lines = new ArrayList<>();
    for (OfStage stage : stages) {
      lines.add((stage.name() == null ? "output" : stage.name()) + ": " + stage.method());
      for (OfTensor tensor : stage.tensors()) {
        lines.add("  " + tensor.name() + " " + tensor.dtype() + " " + tensor.shape());
        String how =
            tensor.method() == null ? "copied, " + tensor.reason() : tensor.method() + in(tensor);
        lines.add("    " + how + " of " + sources(tensor));
      }
      stage.dropped().forEach(dropped -> lines.add("  left out: " + dropped));
      stage.notes().forEach(note -> lines.add("  " + note));
    }
    return String.join("\n", lines) + "\n";
  }

  private static String in(OfTensor tensor) {
    Map<String, Object> parameters = tensor.parameters();
    return parameters == null
        ? ""
        : parameters.entrySet().stream()
            .map(entry -> " " + entry.getKey() + "=" + entry.getValue())
            .collect(Collectors.joining());
  }

  /** The name of a tensor is left out where it is that of the output. */
  private static String sources(OfTensor tensor) {
    String same = "|" + tensor.name();
    return tensor.sources().stream()
        .map(
            source ->
                source.endsWith(same)
                    ? source.substring(0, source.length() - same.length())
                    : source)
        .collect(Collectors.joining(", "));
  }
}
