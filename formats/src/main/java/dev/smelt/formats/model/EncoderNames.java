package dev.smelt.formats.model;

import dev.smelt.formats.model.Architecture.Rule;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Naming rules of BERT, its descendants, and ViT. */
final class EncoderNames {

  private static final String WORDS = "embeddings.word_embeddings.weight";

  private static final String TABLE = "embeddings\\.word_embeddings\\.weight";

  private static final Rule POSITION_IDS = Rule.of("embeddings\\.position_ids", TensorRole.BUFFER);
  private static final Rule NORMS =
      Rule.of(".*LayerNorm\\.(weight|bias|gamma|beta)", TensorRole.NORM);
  private static final Rule EMBEDDINGS =
      Rule.of("embeddings\\.\\w+_embeddings\\.weight", TensorRole.EMBEDDING);
  private static final Rule DENSE =
      Rule.of(
          "encoder\\.layer\\.\\d+\\.(attention\\.output|intermediate|output)\\.dense\\.weight",
          TensorRole.LINEAR);
  private static final Rule ATTENTION =
      Rule.of(
          "encoder\\.layer\\.\\d+\\.attention\\.self\\.(query|key|value)\\.weight",
          TensorRole.LINEAR);

  private static final Architecture BERT =
      new Architecture(
          "bert",
          "bert.",
          Map.of(
              "cls.predictions.decoder.weight",
              WORDS,
              "cls.predictions.decoder.bias",
              "cls.predictions.bias"),
          List.of(
              Architecture.FACTORS,
              POSITION_IDS,
              NORMS,
              EMBEDDINGS,
              Rule.of("(pooler|classifier|cls)\\..*", TensorRole.HEAD),
              ATTENTION,
              DENSE,
              Architecture.BIASES),
          List.of(),
          Pattern.compile(TABLE + "|cls\\.predictions\\.(decoder\\.weight|decoder\\.bias|bias)"));

  private static final Architecture ROBERTA =
      new Architecture(
          "roberta",
          "roberta.",
          Map.of("lm_head.decoder.weight", WORDS, "lm_head.decoder.bias", "lm_head.bias"),
          List.of(
              Architecture.FACTORS,
              POSITION_IDS,
              Rule.of("lm_head\\.layer_norm\\.(weight|bias)", TensorRole.NORM),
              NORMS,
              EMBEDDINGS,
              Rule.of("(pooler|classifier|lm_head)\\..*", TensorRole.HEAD),
              ATTENTION,
              DENSE,
              Architecture.BIASES),
          List.of(),
          Pattern.compile(TABLE + "|lm_head\\.(decoder\\.weight|decoder\\.bias|bias)"));

  private static final Architecture DISTILBERT =
      new Architecture(
          "distilbert",
          "distilbert.",
          Map.of("vocab_projector.weight", WORDS),
          List.of(
              Architecture.FACTORS,
              POSITION_IDS,
              Rule.of(".*layer_norm\\.(weight|bias)", TensorRole.NORM),
              NORMS,
              EMBEDDINGS,
              Rule.of(
                  "(pre_classifier|classifier|vocab_transform|vocab_projector)\\..*",
                  TensorRole.HEAD),
              Rule.of(
                  "transformer\\.layer\\.\\d+\\.attention\\.(q|k|v|out)_lin\\.weight",
                  TensorRole.LINEAR),
              Rule.of("transformer\\.layer\\.\\d+\\.ffn\\.lin[12]\\.weight", TensorRole.LINEAR),
              Architecture.BIASES),
          List.of(),
          Pattern.compile(TABLE + "|vocab_projector\\.(weight|bias)"));

  private static final Architecture VIT =
      new Architecture(
          "vit",
          "vit.",
          Map.of(),
          List.of(
              Architecture.FACTORS,
              Rule.of("(.*\\.)?layernorm(_before|_after)?\\.(weight|bias)", TensorRole.NORM),
              Rule.of(
                  "embeddings\\.(cls_token|mask_token|position_embeddings)", TensorRole.EMBEDDING),
              Rule.of("(pooler|classifier)\\..*", TensorRole.HEAD),
              Rule.of(
                  "encoder\\.layer\\.\\d+\\.attention\\.attention\\.(query|key|value)\\.weight",
                  TensorRole.LINEAR),
              DENSE,
              Architecture.BIASES),
          List.of(),
          // Patches and classes, no tokens.
          Pattern.compile("(?!)"));

  private EncoderNames() {}

  static List<Architecture> all() {
    return List.of(BERT, ROBERTA, DISTILBERT, VIT);
  }
}
