package dev.smelt.compress.modeling;

import dev.smelt.formats.ModelConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/**
 * The file {@value #FILE} of a factorised checkpoint, and the entries of {@code auto_map} in its
 * config.json that lead to it: with both, {@code AutoModel….from_pretrained(folder,
 * trust_remote_code=True)} of Hugging Face transformers loads the factors as they are.
 */
public final class ModelingCode {

  public static final String FILE = "modeling_smelt.py";

  private static final String MODULE = "modeling_smelt.";
  private static final String AUTO_MAP = "auto_map";

  /** What stands for the class of transformers in the resource. */
  private static final String PLACEHOLDER = "BaseModel";

  /** Class of transformers without its ending, of every family whose layers the code replaces. */
  private static final Set<String> FAMILIES =
      Set.of(
          "Bert",
          "DistilBert",
          "GPT2",
          "GPTNeoX",
          "Gemma",
          "Gemma2",
          "Llama",
          "Mistral",
          "Phi3",
          "Qwen2",
          "Qwen3",
          "Roberta");

  /** Ending of a class → the automatic class that stands for it. */
  private static final Map<String, String> AUTO_CLASSES =
      Map.of(
          "ForCausalLM", "AutoModelForCausalLM",
          "LMHeadModel", "AutoModelForCausalLM",
          "ForMaskedLM", "AutoModelForMaskedLM",
          "ForSequenceClassification", "AutoModelForSequenceClassification");

  private ModelingCode() {}

  /**
   * A class of transformers that the code can stand in for.
   *
   * @param name "GPT2LMHeadModel"
   * @param auto "AutoModelForCausalLM"
   */
  private record Target(String name, String auto) {

    String reference() {
      return MODULE + "Smelt" + name;
    }
  }

  private static Optional<Target> target(ModelConfig config) {
    List<String> architectures = config.architectures();
    if (architectures.size() != 1) {
      return Optional.empty();
    }
    String name = architectures.getFirst();
    return AUTO_CLASSES.entrySet().stream()
        .filter(ending -> name.endsWith(ending.getKey()))
        .filter(
            ending ->
                FAMILIES.contains(name.substring(0, name.length() - ending.getKey().length())))
        .map(ending -> new Target(name, ending.getValue()))
        .findFirst();
  }

  /**
   * The files to write beside a factorised model with this config: name → text. Empty for classes
   * that the code does not know, and where the config leads to other code.
   */
  public static SortedMap<String, String> files(ModelConfig config) {
    SortedMap<String, String> files = new TreeMap<>();
    if (occupied(config).isEmpty()) {
      target(config).ifPresent(to -> files.put(FILE, text().replace(PLACEHOLDER, to.name())));
    }
    return files;
  }

  /** The config with an entry in {@code auto_map} that leads to the file; others stay. */
  public static ModelConfig describe(ModelConfig config) {
    Optional<Target> target = target(config);
    if (target.isEmpty() || occupied(config).isPresent()) {
      return config;
    }
    SequencedMap<String, Object> entries = entries(config);
    entries.put(target.get().auto(), target.get().reference());
    return config.with(AUTO_MAP, entries);
  }

  /** What the user should know: that {@link #describe} leaves an entry for other code alone. */
  public static Optional<String> note(ModelConfig config) {
    return occupied(config)
        .map(
            code ->
                "config.json keeps its own model code in auto_map ("
                    + code
                    + "), which does not know the factors; "
                    + FILE
                    + " was not written");
  }

  /** The config without entries that lead to the file. */
  public static ModelConfig undescribe(ModelConfig config) {
    SequencedMap<String, Object> entries = entries(config);
    boolean changed = entries.values().removeIf(ModelingCode::isOurs);
    if (!changed) {
      return config;
    }
    return entries.isEmpty() ? config.without(AUTO_MAP) : config.with(AUTO_MAP, entries);
  }

  /** Side files of a model without the one of this code. */
  public static List<Path> without(List<Path> sideFiles) {
    return sideFiles.stream()
        .filter(file -> !FILE.equals(String.valueOf(file.getFileName())))
        .toList();
  }

  /** Other code under the name that ours would have. */
  private static Optional<String> occupied(ModelConfig config) {
    JsonNode map = config.get(AUTO_MAP);
    return target(config)
        .map(target -> map.isObject() || map.isNull() ? map.path(target.auto()) : map)
        .filter(entry -> !entry.isMissingNode() && !isOurs(entry))
        .map(JsonNode::toString);
  }

  private static boolean isOurs(Object entry) {
    return entry instanceof JsonNode node && node.isString() && node.asString().startsWith(MODULE);
  }

  private static SequencedMap<String, Object> entries(ModelConfig config) {
    SequencedMap<String, Object> entries = new LinkedHashMap<>();
    config.get(AUTO_MAP).forEachEntry(entries::put);
    return entries;
  }

  private static String text() {
    try (InputStream stream =
        Objects.requireNonNull(ModelingCode.class.getResourceAsStream(FILE), FILE)) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("reading a resource failed", e);
    }
  }
}
