package dev.smelt.formats.model;

import dev.smelt.formats.model.Architecture.Rule;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Naming rules of Llama and its descendants, and of GPT-NeoX. */
final class DecoderNames {

  private static final List<String> LLAMA_KIN =
      List.of("llama", "mistral", "qwen2", "qwen3", "phi3", "gemma", "gemma2");

  private static final List<Rule> LLAMA_RULES =
      List.of(
          Architecture.FACTORS,
          Rule.of("(layers\\.\\d+\\.self_attn\\.)?rotary_emb\\.inv_freq", TensorRole.BUFFER),
          Rule.of("(layers\\.\\d+\\.(self_attn\\.)?)?\\w*norm\\.weight", TensorRole.NORM),
          Rule.of("embed_tokens\\.weight", TensorRole.EMBEDDING),
          Rule.of("(lm_head|score)\\.weight", TensorRole.HEAD),
          Rule.of("layers\\.\\d+\\.self_attn\\.(q|k|v|o|qkv)_proj\\.weight", TensorRole.LINEAR),
          Rule.of("layers\\.\\d+\\.mlp\\.(gate|up|gate_up|down)_proj\\.weight", TensorRole.LINEAR),
          Architecture.BIASES);

  /** Those of Phi-3; its kin store the matrices apart. */
  private static final List<Fusion> FUSIONS =
      List.of(
          Fusion.of("layers\\.\\d+\\.self_attn\\.qkv_proj\\.weight", Fusion::grouped),
          Fusion.of("layers\\.\\d+\\.mlp\\.gate_up_proj\\.weight", Fusion::gateAndUp));

  private static final Pattern BY_TOKEN = Pattern.compile("(embed_tokens|lm_head)\\.weight");

  private static final Architecture GPT_NEOX =
      new Architecture(
          "gpt_neox",
          "gpt_neox.",
          Map.of("embed_out.weight", "embed_in.weight"),
          List.of(
              Architecture.FACTORS,
              Rule.of(
                  "layers\\.\\d+\\.attention\\.(bias|masked_bias|rotary_emb\\.inv_freq)",
                  TensorRole.BUFFER),
              Rule.of("rotary_emb\\.inv_freq", TensorRole.BUFFER),
              Rule.of("(layers\\.\\d+\\.)?\\w*_?layer_?norm\\.(weight|bias)", TensorRole.NORM),
              Rule.of("embed_in\\.weight", TensorRole.EMBEDDING),
              Rule.of("(embed_out|score)\\.weight", TensorRole.HEAD),
              Rule.of(
                  "layers\\.\\d+\\.attention\\.(query_key_value|dense)\\.weight",
                  TensorRole.LINEAR),
              Rule.of(
                  "layers\\.\\d+\\.mlp\\.(dense_h_to_4h|dense_4h_to_h)\\.weight",
                  TensorRole.LINEAR),
              Architecture.BIASES),
          List.of(
              Fusion.of("layers\\.\\d+\\.attention\\.query_key_value\\.weight", Fusion::byHead)),
          Pattern.compile("(embed_in|embed_out)\\.weight"));

  private DecoderNames() {}

  static List<Architecture> all() {
    Map<String, String> tied = Map.of("lm_head.weight", "embed_tokens.weight");
    return Stream.concat(
            LLAMA_KIN.stream()
                .map(
                    type -> new Architecture(type, "model.", tied, LLAMA_RULES, FUSIONS, BY_TOKEN)),
            Stream.of(GPT_NEOX))
        .toList();
  }
}
