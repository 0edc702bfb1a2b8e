package dev.smelt.gpu.data;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.NotFoundException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Writes the tokenizer.json that a BERT {@code vocab.txt} stands for: one word piece per line, its
 * id the number of the line from 0; pieces inside a word begin with {@code ##}.
 */
final class WordPiece {

  private static final String UNKNOWN = "[UNK]";
  private static final String BEGIN = "[CLS]";
  private static final String END = "[SEP]";

  /** Those that text may not produce, where the vocabulary has them. */
  private static final List<String> SPECIAL = List.of("[PAD]", UNKNOWN, BEGIN, END, "[MASK]");

  /** As in the original BERT: longer words are unknown. */
  private static final int MAX_WORD_LENGTH = 100;

  /** A punctuation mark and something else. ASCII symbols count as punctuation, as in BERT. */
  private static final Pattern UNCUT =
      Pattern.compile(".+[\\p{Punct}\\p{IsPunctuation}].*|.*[\\p{Punct}\\p{IsPunctuation}].+");

  private WordPiece() {}

  /**
   * @param lowerCase {@code do_lower_case} of the model: lower-case and strip accents
   * @param where the vocab.txt, for refusals
   */
  static byte[] toTokenizerJson(List<String> lines, boolean lowerCase, String where) {
    Map<String, Integer> vocabulary = vocabulary(lines, where);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("version", "1.0");
    json.put("added_tokens", addedTokens(vocabulary));
    json.put(
        "normalizer",
        Map.of(
            "type",
            "BertNormalizer",
            "clean_text",
            true,
            "handle_chinese_chars",
            true,
            "lowercase",
            lowerCase));
    json.put("pre_tokenizer", Map.of("type", "BertPreTokenizer"));
    json.put("post_processor", postProcessor(vocabulary));
    json.put(
        "model",
        Map.of(
            "type", "WordPiece",
            "unk_token", UNKNOWN,
            "continuing_subword_prefix", "##",
            "max_input_chars_per_word", MAX_WORD_LENGTH,
            "vocab", vocabulary));
    return Json.write(json).getBytes(StandardCharsets.UTF_8);
  }

  private static Map<String, Integer> vocabulary(List<String> lines, String where) {
    Map<String, Integer> vocabulary = new LinkedHashMap<>();
    for (int i = 0; i < lines.size(); i++) {
      Integer before = vocabulary.putIfAbsent(lines.get(i), i);
      if (before != null) {
        throw new CorruptException(
            "word piece twice in a vocabulary",
            where + ":" + (i + 1),
            "'" + lines.get(i) + "' is also on line " + (before + 1),
            "");
      }
    }
    for (String needed : List.of(UNKNOWN, BEGIN, END)) {
      if (!vocabulary.containsKey(needed)) {
        throw new NotFoundException(
            "not a BERT vocabulary", where, "expected a line '" + needed + "'", "");
      }
    }
    return vocabulary;
  }

  private static List<Map<String, Object>> addedTokens(Map<String, Integer> vocabulary) {
    List<Map<String, Object>> added = new ArrayList<>();
    vocabulary.forEach(
        (piece, id) -> {
          if (SPECIAL.contains(piece)) {
            added.add(addedToken(piece, id, true));
          } else if (isUncut(piece)) {
            added.add(addedToken(piece, id, false));
          }
        });
    return added;
  }

  /**
   * Whether BERT's pre-tokenizer, which cuts before and after every punctuation mark, would never
   * give this word: "n't", "'s". A vocabulary that has such words was made from text cut at blanks
   * only, and so was the model's training text; where they stand alone they are kept whole. The
   * published BERT vocabularies have none.
   */
  private static boolean isUncut(String piece) {
    boolean reserved = piece.startsWith("[") && piece.endsWith("]");
    return !reserved && !piece.startsWith("##") && UNCUT.matcher(piece).matches();
  }

  private static Map<String, Object> addedToken(String content, int id, boolean special) {
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("id", id);
    entry.put("content", content);
    entry.put("single_word", !special);
    entry.put("lstrip", false);
    entry.put("rstrip", false);
    entry.put("normalized", !special);
    entry.put("special", special);
    return entry;
  }

  /** {@code [CLS] A [SEP]} in segment 0, and {@code B [SEP]} of a pair in segment 1. */
  private static Map<String, Object> postProcessor(Map<String, Integer> vocabulary) {
    Map<String, Object> processor = new LinkedHashMap<>();
    processor.put("type", "TemplateProcessing");
    processor.put("single", List.of(special(BEGIN, 0), text("A", 0), special(END, 0)));
    processor.put(
        "pair",
        List.of(special(BEGIN, 0), text("A", 0), special(END, 0), text("B", 1), special(END, 1)));
    Map<String, Object> tokens = new LinkedHashMap<>();
    for (String token : List.of(BEGIN, END)) {
      tokens.put(
          token,
          Map.of(
              "id", token,
              "ids", List.of(vocabulary.getOrDefault(token, 0)),
              "tokens", List.of(token)));
    }
    processor.put("special_tokens", tokens);
    return processor;
  }

  private static Map<String, Object> special(String token, int segment) {
    return Map.of("SpecialToken", Map.of("id", token, "type_id", segment));
  }

  private static Map<String, Object> text(String name, int segment) {
    return Map.of("Sequence", Map.of("id", name, "type_id", segment));
  }
}
