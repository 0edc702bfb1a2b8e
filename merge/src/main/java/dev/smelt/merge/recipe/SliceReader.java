package dev.smelt.merge.recipe;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.merge.method.MethodDescription;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Reads from which models, or which of their blocks, the output is made. */
final class SliceReader {

  static final String MODELS = "models";
  static final String SLICES = "slices";
  static final String MODULES = "modules";

  /** What mergekit calls the one module of a network that has no others. */
  private static final String DEFAULT_MODULE = "default";

  private static final String MODEL = "model";
  private static final String SOURCES = "sources";
  private static final String LAYER_RANGE = "layer_range";
  private static final String RESIDUAL = "residual_weight";
  static final String FISHER = "fisher";

  /** Deeper networks do not exist. */
  private static final int MAX_LAYERS = 100_000;

  private final MethodDescription method;
  private final Optional<ModelReference> base;
  private final ParameterReader parameters;
  private final List<String> notes;

  /**
   * @param ofModule parameters of the module
   */
  record Read(List<OutputSlice> slices, Map<String, Setting> ofModule) {}

  SliceReader(
      MethodDescription method,
      Optional<ModelReference> base,
      ParameterReader parameters,
      List<String> notes) {
    this.method = method;
    this.base = base;
    this.parameters = parameters;
    this.notes = notes;
  }

  Read read(Yaml.Fields document) {
    if (one(document, List.of(MODELS, SLICES, MODULES)).equals(MODULES)) {
      Yaml.Fields module = module(document.get(MODULES, "a recipe").fields(MODULES));
      module.only("a module", List.of(MODELS, SLICES, RecipeReader.PARAMETERS));
      return new Read(slices(module), parameters.read(module.find(RecipeReader.PARAMETERS)));
    }
    return new Read(slices(document), Map.of());
  }

  private static Yaml.Fields module(Yaml.Fields modules) {
    modules
        .all()
        .forEach(
            (name, entry) -> {
              if (!name.equals(DEFAULT_MODULE)) {
                throw new UnsupportedException(
                    "module not supported",
                    entry.place().toString(),
                    "found " + name,
                    "networks of one module are: " + DEFAULT_MODULE);
              }
            });
    return modules.get(DEFAULT_MODULE, MODULES).fields(DEFAULT_MODULE);
  }

  /** The one of these keys that is there. */
  private static String one(Yaml.Fields fields, List<String> keys) {
    List<String> found = keys.stream().filter(key -> fields.find(key).isPresent()).toList();
    if (found.size() != 1) {
      throw new CorruptException(
          "what is to be merged?",
          fields.place().toString(),
          "expected one of "
              + String.join(", ", keys)
              + ", found "
              + (found.isEmpty() ? "none" : String.join(" and ", found)),
          "");
    }
    return found.getFirst();
  }

  private List<OutputSlice> slices(Yaml.Fields fields) {
    if (one(fields, List.of(MODELS, SLICES)).equals(MODELS)) {
      Yaml.Items models = nonEmpty(fields, MODELS);
      List<Source> sources = new ArrayList<>();
      for (Yaml model : models.all()) {
        Yaml.Fields one =
            model
                .fields("entry of " + MODELS)
                .only("a model", List.of(MODEL, RecipeReader.PARAMETERS, FISHER));
        sources.add(source(one, Optional.empty(), base));
      }
      return List.of(checked(new OutputSlice(models.place(), sources, base, Map.of())));
    }
    return nonEmpty(fields, SLICES).all().stream()
        .map(slice -> checked(slice(slice.fields("entry of " + SLICES))))
        .toList();
  }

  private static Yaml.Items nonEmpty(Yaml.Fields fields, String key) {
    Yaml.Items items = fields.get(key, "a recipe").items(key);
    if (items.all().isEmpty()) {
      throw items.refusal("invalid " + key, "at least one", "");
    }
    return items;
  }

  private OutputSlice slice(Yaml.Fields fields) {
    fields.only("a slice", List.of(SOURCES, RecipeReader.BASE, RESIDUAL, RecipeReader.PARAMETERS));
    fields
        .find(RESIDUAL)
        .ifPresent(
            found -> {
              throw new UnsupportedException(
                  "not supported", found.place().toString(), RESIDUAL, "leave it out");
            });
    Optional<ModelReference> own =
        fields
            .find(RecipeReader.BASE)
            .map(value -> ReferenceReader.read(RecipeReader.BASE, value))
            .or(() -> base);
    List<Source> sources = new ArrayList<>();
    for (Yaml value : nonEmpty(fields, SOURCES).all()) {
      Yaml.Fields one =
          value
              .fields("entry of " + SOURCES)
              .only("a source", List.of(MODEL, LAYER_RANGE, RecipeReader.PARAMETERS, FISHER));
      sources.add(source(one, Optional.of(range(one.get(LAYER_RANGE, "a source"))), own));
    }
    requireEqualLengths(sources);
    return new OutputSlice(
        fields.place(), sources, own, parameters.read(fields.find(RecipeReader.PARAMETERS)));
  }

  private static LayerRange range(Yaml value) {
    List<Integer> ends =
        value.items(LAYER_RANGE).all().stream()
            .flatMap(end -> end.scalar(LAYER_RANGE).number().stream())
            .filter(end -> end == Math.rint(end) && end >= 0 && end <= MAX_LAYERS)
            .map(Double::intValue)
            .toList();
    if (ends.size() != 2
        || value.items(LAYER_RANGE).all().size() != 2
        || ends.getFirst() >= ends.getLast()) {
      throw value.refusal(
          "invalid " + LAYER_RANGE, "[first block, one after the last]", "blocks count from 0");
    }
    return new LayerRange(ends.getFirst(), ends.getLast());
  }

  private static void requireEqualLengths(List<Source> sources) {
    LayerRange first = sources.getFirst().layers().orElseThrow();
    for (Source source : sources) {
      LayerRange range = source.layers().orElseThrow();
      if (range.size() != first.size()) {
        throw new CorruptException(
            "sources of unequal lengths",
            source.place().toString(),
            "expected " + first.size() + " blocks as in " + first + ", found " + range,
            "merge as many of each model");
      }
    }
  }

  private Source source(
      Yaml.Fields fields, Optional<LayerRange> layers, Optional<ModelReference> ofSlice) {
    ModelReference model = ReferenceReader.read(MODEL, fields.get(MODEL, "a source"));
    Map<String, Setting> own = parameters.readOfModel(fields.find(RecipeReader.PARAMETERS));
    if (method.inputs().base() != MethodDescription.Base.NONE
        && ofSlice.equals(Optional.of(model))) {
      // Recipes in use have them; mergekit passes over them.
      own.forEach(
          (name, setting) ->
              notes.add(
                  name
                      + " of "
                      + model
                      + " has no effect: it is the base ["
                      + setting.place()
                      + "]"));
      own = Map.of();
    }
    Optional<Yaml> fisher = fields.find(FISHER);
    boolean onData = method.inputs().data() != MethodDescription.Data.NONE;
    if (fisher.isPresent() != onData) {
      throw new CorruptException(
          onData ? "missing key" : "useless key",
          fields.place().toString(),
          onData
              ? "expected " + FISHER + " of " + model + ": " + method.name() + " needs statistics"
              : FISHER + " of " + model + " has no effect with " + method.name(),
          onData ? "add it; smelt fisher computes them" : "leave it out");
    }
    return new Source(
        fields.place(), model, layers, own, fisher.map(file -> file.scalar(FISHER).text()));
  }

  /** Models of one slice, taken once each. */
  private OutputSlice checked(OutputSlice slice) {
    MethodDescription.Inputs inputs = method.inputs();
    if (inputs.base() == MethodDescription.Base.REQUIRED && slice.base().isEmpty()) {
      throw new CorruptException(
          "missing key",
          slice.place().toString(),
          "expected " + RecipeReader.BASE + ": " + method.name() + " needs it",
          "add it");
    }
    if (!inputs.models().allows(Operation.of(method, slice).models().size())) {
      throw new CorruptException(
          "wrong number of models",
          slice.place().toString(),
          method.name()
              + " is of "
              + inputs.models()
              + " models"
              + (inputs.base() == MethodDescription.Base.NONE ? "" : " beside the base")
              + ", found "
              + slice.sources().stream()
                  .map(source -> source.model().toString())
                  .collect(Collectors.joining(", ")),
          "");
    }
    return slice;
  }
}
