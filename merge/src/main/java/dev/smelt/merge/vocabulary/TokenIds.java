package dev.smelt.merge.vocabulary;

import dev.smelt.formats.Json;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.tokenizer.Vocabulary;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/** Ids that configs name, such as {@code eos_token_id}, as ids of another vocabulary. */
final class TokenIds {

  /** A number or a list of numbers. */
  private static final Pattern KEYS = Pattern.compile("(.*_)?token_ids?");

  /** What generation configs may hold of ids besides, in shapes of their own. */
  private static final List<String> OTHERS =
      List.of(
          "suppress_tokens",
          "begin_suppress_tokens",
          "bad_words_ids",
          "force_words_ids",
          "forced_decoder_ids",
          "sequence_bias");

  private final Vocabulary from;
  private final Vocabulary to;

  TokenIds(Vocabulary from, Vocabulary to) {
    this.from = from;
    this.to = to;
  }

  /** Whether every token has the id that it had. */
  boolean areTheSame() {
    return from.ids().entrySet().stream()
        .allMatch(entry -> to.id(entry.getKey()).orElse(-1) == entry.getValue());
  }

  /**
   * @throws MismatchException when it names a token that the other vocabulary lacks
   * @throws UnsupportedException when it holds ids that are not translated
   */
  ModelConfig translated(ModelConfig config) {
    if (areTheSame()) {
      return config;
    }
    for (String key : OTHERS) {
      JsonNode value = config.get(key);
      if (!value.isMissingNode() && !value.isNull() && !value.isEmpty()) {
        throw new UnsupportedException(
            "ids that are not translated into another vocabulary",
            config.where() + "|" + key,
            "found " + value,
            "take it out, or use the vocabulary of this model");
      }
    }
    ModelConfig changed = config;
    for (String key : config.keys()) {
      if (KEYS.matcher(key).matches()) {
        Optional<Object> ids = ids(config, key);
        changed = ids.isPresent() ? changed.with(key, ids.get()) : changed;
      }
    }
    return changed;
  }

  private Optional<Object> ids(ModelConfig config, String key) {
    JsonNode value = config.get(key);
    if (value.isInt()) {
      return Optional.of(id(config, key, value.intValue()));
    }
    if (!value.isArray()) {
      return Optional.empty();
    }
    List<Object> ids = new ArrayList<>();
    for (JsonNode one : value.values()) {
      if (!one.isInt()) {
        throw new UnsupportedException(
            "ids that are not translated into another vocabulary",
            config.where() + "|" + key,
            "found " + value,
            "use the vocabulary of this model");
      }
      ids.add(id(config, key, one.intValue()));
    }
    return Optional.of(Json.tree(ids));
  }

  private int id(ModelConfig config, String key, int id) {
    Optional<String> token = from.token(id);
    return token
        .map(to::id)
        .filter(found -> found.isPresent())
        .orElseThrow(
            () ->
                new MismatchException(
                    "config names a token that the vocabulary lacks",
                    config.where() + "|" + key,
                    "found " + id + token.map(name -> ", which is '" + name + "'").orElse(""),
                    "use union, or a vocabulary that has it"))
        .getAsInt();
  }
}
