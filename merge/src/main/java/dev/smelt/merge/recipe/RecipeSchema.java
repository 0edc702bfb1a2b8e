package dev.smelt.merge.recipe;

import dev.smelt.formats.DType;
import dev.smelt.merge.MergeMethods;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Parameter;
import dev.smelt.merge.method.Range;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a recipe may hold, as JSON Schema for editors; made from what the methods say of themselves.
 * It is coarser than the reader: which keys go together only that knows.
 */
final class RecipeSchema {

  private static final Map<String, Object> TEXT = Map.of("type", "string");
  private static final Map<String, Object> MODEL = reference("model");

  private RecipeSchema() {}

  static Map<String, Object> make() {
    Map<String, Object> schema = new LinkedHashMap<>();
    schema.put("$schema", "http://json-schema.org/draft-07/schema#");
    schema.put("title", "Recipe of smelt merge");
    schema.putAll(object(document(), List.of()));
    schema.put(
        "anyOf",
        List.of(
            Map.of("required", List.of(RecipeReader.METHOD)),
            Map.of("required", List.of(RecipeReader.OUR_METHOD))));
    schema.put("allOf", MergeMethods.all().stream().map(RecipeSchema::parametersOf).toList());
    schema.put("definitions", definitions());
    return schema;
  }

  private static Map<String, Object> document() {
    Map<String, Object> keys = new LinkedHashMap<>();
    keys.put(
        RecipeReader.NAME, described(TEXT, "by which other documents of the file use the result"));
    keys.put(RecipeReader.METHOD, reference("method"));
    keys.put(RecipeReader.OUR_METHOD, reference("method"));
    keys.put(RecipeReader.BASE, MODEL);
    keys.put(SliceReader.MODELS, listOf("entry"));
    keys.put(SliceReader.SLICES, listOf("slice"));
    keys.put(
        SliceReader.MODULES,
        object(
            Map.of(
                "default",
                object(
                    ordered(
                        SliceReader.MODELS,
                        listOf("entry"),
                        SliceReader.SLICES,
                        listOf("slice"),
                        RecipeReader.PARAMETERS,
                        reference("parameters")),
                    List.of())),
            List.of("default")));
    keys.put(RecipeReader.PARAMETERS, reference("parameters"));
    keys.put(RecipeReader.DTYPE, described(reference("dtype"), "of the output"));
    keys.put(RecipeReader.OUT_DTYPE, described(reference("dtype"), "of the output, before dtype"));
    keys.put(TokenizerReader.SOURCE_KEY, reference("tokenizer_source"));
    keys.put(
        TokenizerReader.KEY,
        object(
            ordered(
                "source",
                reference("tokenizer_source"),
                "pad_to_multiple_of",
                ordered("type", "integer", "minimum", 1)),
            List.of()));
    return keys;
  }

  private static Map<String, Object> definitions() {
    Map<String, Object> definitions = new LinkedHashMap<>();
    definitions.put("method", method());
    definitions.put("dtype", dtype());
    Map<String, Object> located =
        either(TEXT, object(ordered("path", TEXT, "revision", TEXT), List.of("path")));
    definitions.put(
        "model",
        described(
            either(
                TEXT, object(ordered("model", located, "path", TEXT, "lora", located), List.of())),
            "path, or path+adapter"));
    definitions.put("tokenizer_source", described(MODEL, "base, union or model:path"));
    definitions.put(
        "entry",
        object(
            ordered(
                "model",
                MODEL,
                RecipeReader.PARAMETERS,
                reference("parameters"),
                SliceReader.FISHER,
                described(TEXT, "statistics of the model, from smelt fisher")),
            List.of("model")));
    definitions.put(
        "slice",
        object(
            ordered(
                "sources",
                listOf("source"),
                RecipeReader.BASE,
                MODEL,
                RecipeReader.PARAMETERS,
                reference("parameters")),
            List.of("sources")));
    definitions.put(
        "source",
        object(
            ordered(
                "model",
                MODEL,
                "layer_range",
                layerRange(),
                RecipeReader.PARAMETERS,
                reference("parameters"),
                SliceReader.FISHER,
                described(TEXT, "statistics of the model, from smelt fisher")),
            List.of("model", "layer_range")));
    definitions.put("parameters", parameters());
    return definitions;
  }

  private static Map<String, Object> method() {
    List<Object> methods =
        MergeMethods.all().stream()
            .<Object>map(method -> ordered("const", method.name(), "description", method.summary()))
            .toList();
    return Map.of("oneOf", methods);
  }

  private static Map<String, Object> dtype() {
    return ordered(
        "type",
        "string",
        "enum",
        Arrays.stream(DType.values()).filter(DType::isFloat).map(DType::torchName).toList());
  }

  private static Map<String, Object> layerRange() {
    return ordered(
        "description",
        "the first block, counted from 0, and one after the last",
        "type",
        "array",
        "items",
        Map.of("type", "integer"),
        "minItems",
        2,
        "maxItems",
        2);
  }

  /** Of all methods; which of them has which is said by {@link #parametersOf}. */
  private static Map<String, Object> parameters() {
    Map<String, List<Object>> byName = new TreeMap<>();
    Map<String, List<String>> meanings = new TreeMap<>();
    for (MethodDescription method : MergeMethods.all()) {
      for (Parameter parameter : method.parameters()) {
        List<Object> values = byName.computeIfAbsent(parameter.name(), _ -> new ArrayList<>());
        Map<String, Object> value = value(parameter);
        if (!values.contains(value)) {
          values.add(value);
        }
        meanings
            .computeIfAbsent(parameter.name(), _ -> new ArrayList<>())
            .add(method.name() + ": " + parameter.meaning() + " (" + parameter.standard() + ")");
      }
    }
    Map<String, Object> keys = new LinkedHashMap<>();
    byName.forEach(
        (name, values) ->
            keys.put(
                name,
                ordered(
                    "description",
                    String.join("; ", meanings.getOrDefault(name, List.of())),
                    "anyOf",
                    values)));
    keys.put(ParameterReader.INT8_MASK, described(Map.of("type", "boolean"), "has no effect"));
    return object(keys, List.of());
  }

  private static Map<String, Object> value(Parameter parameter) {
    Map<String, Object> scalar = scalar(parameter);
    boolean gradient = parameter.kind() instanceof Parameter.OfNumbers;
    Map<String, Object> plain =
        gradient
            ? either(scalar, ordered("type", "array", "items", scalar, "minItems", 1))
            : scalar;
    Map<String, Object> filtered =
        object(ordered("filter", TEXT, "value", plain), List.of("value"));
    return Map.of("anyOf", List.of(plain, filtered, ordered("type", "array", "items", filtered)));
  }

  private static Map<String, Object> scalar(Parameter parameter) {
    return switch (parameter.kind()) {
      case Parameter.OfNumbers(Range range, double _) -> number(range);
      case Parameter.OfWholes(long least, long most, long _) ->
          most == Long.MAX_VALUE
              ? ordered("type", "integer", "minimum", least)
              : ordered("type", "integer", "minimum", least, "maximum", most);
      case Parameter.OfFlags _ -> Map.of("type", "boolean");
      case Parameter.OfWords(List<String> words, String _) -> Map.of("enum", words);
    };
  }

  private static Map<String, Object> number(Range range) {
    Map<String, Object> number = new LinkedHashMap<>();
    number.put("type", "number");
    if (Double.isFinite(range.least())) {
      number.put(range.orLeast() ? "minimum" : "exclusiveMinimum", range.least());
    }
    if (Double.isFinite(range.most())) {
      number.put(range.orMost() ? "maximum" : "exclusiveMaximum", range.most());
    }
    return number;
  }

  /** Where the document names a method, its parameters are of that method. */
  private static Map<String, Object> parametersOf(MethodDescription method) {
    List<String> names =
        new ArrayList<>(method.parameters().stream().map(Parameter::name).toList());
    names.add(ParameterReader.INT8_MASK);
    Map<String, Object> own = Map.of("propertyNames", Map.of("enum", names));
    return ordered(
        "if",
        ordered(
            "properties",
            Map.of(RecipeReader.METHOD, Map.of("const", method.name())),
            "required",
            List.of(RecipeReader.METHOD)),
        "then",
        Map.of("properties", Map.of(RecipeReader.PARAMETERS, own)));
  }

  private static Map<String, Object> reference(String definition) {
    return Map.of("$ref", "#/definitions/" + definition);
  }

  private static Map<String, Object> listOf(String definition) {
    return ordered("type", "array", "items", reference(definition), "minItems", 1);
  }

  private static Map<String, Object> either(Map<String, Object> one, Map<String, Object> other) {
    return Map.of("anyOf", List.of(one, other));
  }

  /** A reference may have no other keys beside it, so that it is put into a list. */
  private static Map<String, Object> described(Map<String, Object> schema, String description) {
    return ordered("description", description, "allOf", List.of(schema));
  }

  private static Map<String, Object> object(Map<String, Object> keys, List<String> required) {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("type", "object");
    object.put("additionalProperties", false);
    object.put("properties", keys);
    if (!required.isEmpty()) {
      object.put("required", required);
    }
    return object;
  }

  private static Map<String, Object> ordered(Object... keysAndValues) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      map.put((String) keysAndValues[i], keysAndValues[i + 1]);
    }
    return map;
  }
}
