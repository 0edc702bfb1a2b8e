package dev.smelt.formats.model;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The naming rules of one family of networks, as data: patterns of tensor names and the role each
 * stands for, first match wins. Names may carry the family's prefix or not, as checkpoints of the
 * bare model and of the model with a head differ in just that.
 *
 * @param modelType as in {@code model_type} of config.json; "unknown" for the general rules
 * @param prefix of the base model's tensors in checkpoints of models with a head, or empty
 * @param tied bare name of a tensor → bare name of the tensor that stands for it where the config
 *     ties word embeddings
 * @param fusions matrices that are several in one
 * @param byToken bare names of tensors that have a row for each token of the vocabulary
 */
public record Architecture(
    String modelType,
    String prefix,
    Map<String, String> tied,
    List<Rule> rules,
    List<Fusion> fusions,
    Pattern byToken) {

  /** Names that match are of this role. */
  record Rule(Pattern names, TensorRole role) {
    static Rule of(String names, TensorRole role) {
      return new Rule(Pattern.compile(names), role);
    }
  }

  /** [out, in, kh, kw]. */
  private static final int CONVOLUTION_AXES = 4;

  static final Rule FACTORS =
      Rule.of(
          ".*\\.(ALinear|BLinear)\\.(weight|weight_scale|bias)|smelt\\.basis\\..*",
          TensorRole.FACTOR);
  static final Rule BIASES = Rule.of(".*\\bbias|.*_bias", TensorRole.BIAS);

  private static final Architecture GPT2 =
      new Architecture(
          "gpt2",
          "transformer.",
          Map.of("lm_head.weight", "wte.weight"),
          List.of(
              FACTORS,
              Rule.of("h\\.\\d+\\.attn\\.(bias|masked_bias)", TensorRole.BUFFER),
              Rule.of(
                  "h\\.\\d+\\.(attn|crossattention)\\.(c_attn|c_proj|q_attn)\\.weight",
                  TensorRole.CONV1D),
              Rule.of("h\\.\\d+\\.mlp\\.(c_fc|c_proj)\\.weight", TensorRole.CONV1D),
              Rule.of("(h\\.\\d+\\.)?ln_\\w+\\.(weight|bias)", TensorRole.NORM),
              Rule.of("(wte|wpe)\\.weight", TensorRole.EMBEDDING),
              Rule.of("(lm_head|score)\\.(weight|bias)", TensorRole.HEAD),
              BIASES),
          List.of(Fusion.of("h\\.\\d+\\.attn\\.c_attn\\.weight", Fusion::thirds)),
          Pattern.compile("wte\\.weight|lm_head\\.weight"));

  /** For networks without rules of their own: what the names of most families have in common. */
  private static final Architecture GENERAL =
      new Architecture(
          "unknown",
          "",
          Map.of(),
          List.of(
              FACTORS,
              Rule.of("(.*\\.)?[\\w]*(norm|Norm|ln_)\\w*\\.(weight|bias)", TensorRole.NORM),
              Rule.of(
                  "(.*\\.)?(embed\\w*|\\w*embeddings?|wte|wpe|position_ids)(\\..*)?",
                  TensorRole.EMBEDDING),
              Rule.of(
                  "(.*\\.)?(lm_head|score|classifier|pooler|head|cls)(\\..*)?", TensorRole.HEAD),
              BIASES,
              Rule.of(".*\\.weight", TensorRole.LINEAR)),
          List.of(),
          Pattern.compile(
              "(.*\\.)?((wte|embed_tokens|embed_in|word_embeddings)\\.weight"
                  + "|(lm_head|embed_out)\\.(weight|bias))"));

  private static final Map<String, Architecture> KNOWN =
      Stream.of(List.of(GPT2), EncoderNames.all(), DecoderNames.all())
          .flatMap(List::stream)
          .collect(Collectors.toUnmodifiableMap(Architecture::modelType, known -> known));

  /** Where the config does not say whether word embeddings are tied, these do not tie them. */
  private static final Set<String> UNTIED =
      Set.of("gpt_neox", "llama", "mistral", "phi3", "qwen2", "qwen3");

  public Architecture {
    tied = Map.copyOf(tied);
    rules = List.copyOf(rules);
    fusions = List.copyOf(fusions);
  }

  /** The rules for a model with this config; the general ones without a config or for others. */
  public static Architecture of(Optional<ModelConfig> config) {
    return config
        .flatMap(known -> known.text("model_type"))
        .map(type -> KNOWN.getOrDefault(type, GENERAL))
        .orElse(GENERAL);
  }

  /** The rules of a family; empty for those without rules of their own. */
  static Optional<Architecture> named(String modelType) {
    return Optional.ofNullable(KNOWN.get(modelType));
  }

  /** False for the general rules. */
  public boolean isKnown() {
    return !this.equals(GENERAL);
  }

  /** Whether the output matrix is the token embedding, where {@link #tied} knows of one. */
  public boolean isTied(ModelConfig config) {
    return config.flag("tie_word_embeddings", !UNTIED.contains(modelType));
  }

  /** The name without the family's prefix. */
  public String bareName(String name) {
    return name.startsWith(prefix) ? name.substring(prefix.length()) : name;
  }

  /**
   * Whether a tensor has a row for each token: the embedding of tokens and heads that name them.
   */
  public boolean hasRowPerToken(String name) {
    return byToken.matcher(bareName(name)).matches();
  }

  private static boolean isConvolution(Shape shape) {
    return shape.rank() == CONVOLUTION_AXES && (shape.size(1) > 1 || shape.size(0) == 1);
  }

  /**
   * What the tensor is. Only matrices and convolutions are {@link TensorRole#isBlockMatrix() block
   * matrices}.
   */
  public TensorRole role(TensorInfo tensor) {
    String name = bareName(tensor.name());
    for (Rule rule : rules) {
      if (rule.names().matcher(name).matches()) {
        if (rule.role().isBlockMatrix() && !tensor.shape().isMatrix()) {
          return isConvolution(tensor.shape()) ? TensorRole.CONVOLUTION : TensorRole.OTHER;
        }
        return rule.role();
      }
    }
    return TensorRole.OTHER;
  }

  /**
   * The matrices that this one is made of, in the order of their first rows; empty where it is one.
   *
   * @throws MismatchException when the config says another size than the tensor has
   */
  public List<FusedPart> fused(ModelConfig config, TensorInfo tensor) {
    String name = bareName(tensor.name());
    TensorRole role = role(tensor);
    if (!role.isBlockMatrix()) {
      return List.of();
    }
    long out = tensor.shape().size(role == TensorRole.CONV1D ? 1 : 0);
    return fusions.stream()
        .filter(fusion -> fusion.names().matcher(name).matches())
        .findFirst()
        .map(fusion -> fusion.in(config, tensor, out))
        .orElse(List.of());
  }
}
