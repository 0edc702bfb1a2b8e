package dev.smelt.merge.vocabulary;

import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.tokenizer.TokenizerFolder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The files beside the weights of the output: those of the tokenizer are the vocabulary's donor's,
 * extended; the others the first model's.
 *
 * @param config of the first model, with the output's number of rows and its ids
 * @param sideFiles to be copied
 * @param texts to be written; they go before files of the same name
 * @param notes what the user should know
 */
record TokenizerOutput(
    Optional<ModelConfig> config,
    List<Path> sideFiles,
    SortedMap<String, String> texts,
    List<String> notes) {

  private static final String VOCAB_SIZE = "vocab_size";
  private static final String GENERATION_CONFIG = "generation_config.json";

  private static final Set<String> OF_TOKENIZERS =
      Set.of(
          TokenizerFolder.TOKENIZER_JSON,
          TokenizerFolder.TOKENIZER_CONFIG,
          TokenizerFolder.VOCAB_TXT,
          TokenizerFolder.VOCAB_JSON,
          TokenizerFolder.MERGES_TXT,
          TokenizerFolder.ADDED_TOKENS,
          "special_tokens_map.json",
          "chat_template.jinja",
          "chat_template.json",
          "tokenizer.model",
          "sentencepiece.bpe.model",
          "spiece.model",
          "tekken.json");

  /** Vocabularies in forms that are not written. */
  private static final Set<String> FIXED =
      Set.of("tokenizer.model", "sentencepiece.bpe.model", "spiece.model", "tekken.json");

  static TokenizerOutput of(ModelVocabulary first, OutputVocabulary output, int rows) {
    TokenIds ids = new TokenIds(first.tokens(), output.tokens());
    List<String> notes = new ArrayList<>();
    List<Path> copies = new ArrayList<>();
    SortedMap<String, String> texts = new TreeMap<>(ExtendedFiles.texts(output));
    for (Path file : first.checkpoint().sideFiles()) {
      String name = name(file);
      if (name.equals(GENERATION_CONFIG)) {
        ModelConfig before = ModelConfig.parse(TokenizerFolder.read(file), file.toString());
        ModelConfig after = ids.translated(before);
        if (!after.equals(before)) {
          texts.put(name, after.toJson());
        }
      }
      if (!OF_TOKENIZERS.contains(name)) {
        copies.add(file);
      }
    }
    for (Path file : output.files()) {
      if (FIXED.contains(name(file)) && !output.extension().pieces().isEmpty()) {
        notes.add(file + " is left out, since it lacks tokens of the output");
      } else if (OF_TOKENIZERS.contains(name(file))) {
        copies.add(file);
      }
    }
    Optional<ModelConfig> config =
        first.checkpoint().config().map(before -> config(before, ids, rows, first.rows()));
    return new TokenizerOutput(config, copies, texts, notes);
  }

  private static ModelConfig config(ModelConfig before, TokenIds ids, int rows, int firstRows) {
    ModelConfig config = ids.translated(before);
    if (config.integer(VOCAB_SIZE).isEmpty() && rows != firstRows) {
      throw new UnsupportedException(
          "config does not say how many tokens there are",
          config.where(),
          "expected the key '" + VOCAB_SIZE + "'",
          "add it");
    }
    return config.integer(VOCAB_SIZE).isEmpty() ? config : config.with(VOCAB_SIZE, rows);
  }

  static String name(Path file) {
    return String.valueOf(file.getFileName());
  }

  static String text(Path file) {
    return new String(TokenizerFolder.read(file), StandardCharsets.UTF_8);
  }
}
