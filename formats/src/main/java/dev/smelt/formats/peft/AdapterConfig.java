package dev.smelt.formats.peft;

import dev.smelt.formats.Json;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.regex.Pattern;
import tools.jackson.databind.node.NullNode;

/**
 * adapter_config.json of a LoRA adapter: what turns its factors into changes. The change of a
 * module is s·B·A with s = alpha/r, or alpha/√r where the rank is stabilised (Kalajdzievski, arXiv
 * 2312.03732).
 *
 * @param rank r of modules that no pattern matches
 * @param alpha of modules that no pattern matches
 * @param rankStabilized {@code use_rslora}
 * @param rankPattern regular expression over the end of a module's name, from a dot or the start on
 *     → r; the first that matches counts
 * @param alphaPattern the same for alpha
 * @param biasOfFactors {@code lora_bias}: factors B carry a bias that is added to the module's
 * @param fanInFanOut matrices are stored [in, out]
 * @param bias "none", "all" or "lora_only": which biases of the base are in the file
 * @param targets modules with factors; as a list each entry is the end of a name, from a dot or the
 *     start on; empty where the file says it in another way
 * @param modulesToSave modules whose tensors are there in full
 * @param tiedWeights {@code ensure_weight_tying}: a change of the embedding holds for the output
 *     matrix that is tied to it
 * @param taskType such as "CAUSAL_LM"
 * @param base {@code base_model_name_or_path}
 */
public record AdapterConfig(
    int rank,
    double alpha,
    boolean rankStabilized,
    SequencedMap<String, Integer> rankPattern,
    SequencedMap<String, Double> alphaPattern,
    boolean biasOfFactors,
    boolean fanInFanOut,
    String bias,
    List<String> targets,
    List<String> modulesToSave,
    boolean tiedWeights,
    Optional<String> taskType,
    Optional<String> base) {

  public static final String FILE = "adapter_config.json";

  static final String NO_BIAS = "none";
  static final String ALL_BIASES = "all";

  public AdapterConfig {
    rankPattern = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(rankPattern));
    alphaPattern = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(alphaPattern));
    targets = List.copyOf(targets);
    modulesToSave = List.copyOf(modulesToSave);
  }

  /**
   * The config of factors that need no scale: alpha is r everywhere.
   *
   * @param ranks module → rank of its factors; their order is kept
   * @param bias whether biases of the base are in the file
   */
  public static AdapterConfig unscaled(
      SequencedMap<String, Integer> ranks,
      boolean fanInFanOut,
      boolean bias,
      List<String> modulesToSave,
      boolean tiedWeights,
      Optional<String> taskType,
      String base) {
    // Loaders that know no patterns make room for this rank and scale by alpha/r = 1.
    int rank = ranks.values().stream().mapToInt(Integer::intValue).max().orElse(1);
    SequencedMap<String, Integer> rankPattern = new LinkedHashMap<>();
    SequencedMap<String, Double> alphaPattern = new LinkedHashMap<>();
    ranks.forEach(
        (module, own) -> {
          if (own != rank) {
            rankPattern.put(module, own);
            alphaPattern.put(module, (double) own);
          }
        });
    return new AdapterConfig(
        rank,
        rank,
        false,
        rankPattern,
        alphaPattern,
        false,
        fanInFanOut,
        bias ? ALL_BIASES : NO_BIAS,
        List.copyOf(ranks.keySet()),
        modulesToSave,
        tiedWeights,
        taskType,
        Optional.of(base));
  }

  /** r of a module, by its full name. */
  public int rank(String module) {
    return matching(rankPattern, module).orElse(rank);
  }

  /** s in s·B·A. */
  public double scale(String module) {
    double own = matching(alphaPattern, module).orElse(alpha);
    int r = rank(module);
    return own / (rankStabilized ? Math.sqrt(r) : r);
  }

  private static <T> Optional<T> matching(SequencedMap<String, T> patterns, String module) {
    return patterns.entrySet().stream()
        .filter(entry -> pattern(entry.getKey()).matcher(module).matches())
        .map(Map.Entry::getValue)
        .findFirst();
  }

  static Pattern pattern(String ending) {
    return Pattern.compile("(?:.*\\.)?(?:" + ending + ")");
  }

  /** As written to the file, keys in alphabetical order as PEFT writes them. */
  public String toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("alpha_pattern", whole(alphaPattern));
    json.put("auto_mapping", NullNode.getInstance());
    json.put("base_model_name_or_path", orNull(base));
    json.put("bias", bias);
    if (tiedWeights) {
      json.put("ensure_weight_tying", true);
    }
    json.put("fan_in_fan_out", fanInFanOut);
    json.put("inference_mode", true);
    json.put("init_lora_weights", true);
    json.put("lora_alpha", whole(alpha));
    json.put("lora_bias", biasOfFactors);
    json.put("lora_dropout", 0.0);
    json.put("modules_to_save", modulesToSave.isEmpty() ? NullNode.getInstance() : modulesToSave);
    json.put("peft_type", AdapterConfigReader.LORA);
    json.put("r", rank);
    json.put("rank_pattern", rankPattern);
    json.put("revision", NullNode.getInstance());
    json.put("target_modules", targets);
    json.put("task_type", orNull(taskType));
    json.put("use_dora", false);
    json.put("use_rslora", rankStabilized);
    return Json.write(json);
  }

  private static Object orNull(Optional<String> text) {
    return text.isPresent() ? text.get() : NullNode.getInstance();
  }

  private static Map<String, Object> whole(SequencedMap<String, Double> alphas) {
    Map<String, Object> whole = new LinkedHashMap<>();
    alphas.forEach((module, value) -> whole.put(module, whole(value)));
    return whole;
  }

  /** Loaders declare alpha as a whole number. */
  private static Object whole(double value) {
    return value == Math.rint(value) && Math.abs(value) < Integer.MAX_VALUE
        ? (Object) (int) value
        : (Object) value;
  }
}
