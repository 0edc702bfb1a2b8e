package dev.smelt.gpu.data;

import dev.smelt.formats.Json;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * The tokens of a tokenizer.json that stand for no text.
 *
 * @param ids of all of them
 * @param mask the one that hides a token, if there is one
 */
record SpecialTokens(Set<Integer> ids, OptionalInt mask) {

  /** The mask token of BERT and of RoBERTa. */
  private static final List<String> MASKS = List.of("[MASK]", "<mask>");

  SpecialTokens {
    ids = Set.copyOf(ids);
  }

  /**
   * @param json content of a tokenizer.json
   * @param where its file, for refusals
   */
  static SpecialTokens of(byte[] json, String where) {
    JsonNode root = Json.parse(json, where);
    Set<Integer> ids = new HashSet<>();
    OptionalInt mask = OptionalInt.empty();
    for (JsonNode added : root.path("added_tokens").values()) {
      int id = added.path("id").asInt(-1);
      boolean isMask = MASKS.contains(added.path("content").asString(""));
      if (isMask) {
        mask = OptionalInt.of(id);
      }
      if (isMask || added.path("special").asBoolean(false)) {
        ids.add(id);
      }
    }
    return new SpecialTokens(ids, mask);
  }
}
