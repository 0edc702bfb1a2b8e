package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.merge.MergeMethods;
import dev.smelt.merge.method.MethodDescription;
import dev.smelt.merge.method.Nearest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads recipes after the schema of mergekit, and ours, which is the same with {@code method} for
 * {@code merge_method} and statistics beside a model.
 */
final class RecipeReader {

  static final String METHOD = "merge_method";
  static final String OUR_METHOD = "method";
  static final String BASE = "base_model";
  static final String PARAMETERS = "parameters";
  static final String DTYPE = "dtype";
  static final String OUT_DTYPE = "out_dtype";
  static final String NAME = "name";
  static final String CHAT_TEMPLATE = "chat_template";

  static final List<String> KEYS =
      List.of(
          NAME,
          METHOD,
          OUR_METHOD,
          BASE,
          SliceReader.MODELS,
          SliceReader.SLICES,
          SliceReader.MODULES,
          PARAMETERS,
          DTYPE,
          OUT_DTYPE,
          TokenizerReader.SOURCE_KEY,
          TokenizerReader.KEY,
          CHAT_TEMPLATE);

  private RecipeReader() {}

  static Recipe read(Path file, List<Yaml> documents) {
    if (documents.isEmpty()) {
      throw new CorruptException("empty recipe", file.toString(), "expected " + METHOD, "");
    }
    List<Stage> stages = documents.stream().map(RecipeReader::stage).toList();
    return new Recipe(file, StageOrder.of(stages));
  }

  private static Stage stage(Yaml document) {
    Yaml.Fields fields = document.fields("recipe").only("a recipe", KEYS);
    MethodDescription method = method(fields);
    Optional<ModelReference> base =
        fields.find(BASE).map(value -> ReferenceReader.read(BASE, value));
    List<String> notes = new ArrayList<>();
    ParameterReader parameters = new ParameterReader(method, notes);
    SliceReader.Read read = new SliceReader(method, base, parameters, notes).read(fields);
    fields
        .find(CHAT_TEMPLATE)
        .ifPresent(
            found -> {
              throw new UnsupportedException(
                  "not supported",
                  found.place().toString(),
                  CHAT_TEMPLATE,
                  "leave it out, and edit tokenizer_config.json of the output");
            });
    return new Stage(
        fields.place(),
        fields.find(NAME).map(RecipeReader::name),
        method,
        base,
        read.slices(),
        List.of(read.ofModule(), parameters.read(fields.find(PARAMETERS))),
        dtype(fields, OUT_DTYPE).or(() -> dtype(fields, DTYPE)),
        TokenizerReader.read(fields),
        notes.stream().distinct().toList(),
        fields.plain());
  }

  private static MethodDescription method(Yaml.Fields fields) {
    Optional<Yaml> ours = fields.find(OUR_METHOD);
    if (ours.isPresent() && fields.find(METHOD).isPresent()) {
      throw new CorruptException(
          "method twice",
          ours.get().place().toString(),
          "expected " + METHOD + " or " + OUR_METHOD,
          "remove one of them");
    }
    Yaml.Scalar name = ours.orElseGet(() -> fields.get(METHOD, "a recipe")).scalar(METHOD);
    return MergeMethods.named(name.text())
        .orElseThrow(
            () ->
                new UnsupportedException(
                    "no method of merging is called " + name.text(),
                    name.place().toString(),
                    "",
                    Nearest.advice(
                        name.text(),
                        MergeMethods.all().stream().map(MethodDescription::name).toList())));
  }

  private static String name(Yaml value) {
    String name = value.scalar(NAME).text();
    if (!name.matches("[\\w.-]{1,100}") || name.startsWith(".")) {
      throw value.refusal("invalid " + NAME, "letters, digits, '_', '-' and '.'", "");
    }
    return name;
  }

  private static Optional<DType> dtype(Yaml.Fields fields, String key) {
    return fields
        .find(key)
        .map(
            value ->
                DType.ofFloatName(value.scalar(key).text().replaceFirst("^torch\\.", ""))
                    .orElseThrow(
                        () ->
                            value.refusal(
                                "invalid " + key, "float32, bfloat16, float16, float64, …", "")));
  }
}
