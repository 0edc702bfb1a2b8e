package dev.smelt.gpu.network;

import dev.smelt.formats.MismatchException;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Weights;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The output matrix of a language model, [vocabulary, width], where it is the token embedding
 * itself.
 *
 * @param aliases the head's own tensors when they are stored although tied, each with the name of
 *     the one in the embedding
 */
record TiedHead(Linear linear, Map<String, String> aliases) {

  /** What a matrix may be stored as. */
  private static final List<String> FORMS = List.of("weight", "ALinear.weight", "BLinear.weight");

  /**
   * @param weights of the whole checkpoint
   * @param head the module that would hold a matrix of its own
   * @param bias of the output
   * @throws MismatchException when the two are tied and stored with different values or in
   *     different ways, or the copy is not whole
   */
  static TiedHead of(Weights weights, Embedding tokens, String head, Optional<Parameter> bias) {
    Map<String, String> aliases = new TreeMap<>();
    Set<String> found = new TreeSet<>();
    for (String form : FORMS) {
      String copy = weights.holder(head, form);
      Parameter original = tokens.holders().get(form);
      boolean same = original != null && original.name().equals(copy);
      if (same) {
        found.add(form);
        continue;
      }
      if (weights.find(copy).isEmpty()) {
        continue;
      }
      found.add(form);
      if (original == null) {
        throw differently(weights, tokens, copy);
      }
      StoredCopies.requireEqual(weights, copy, original.name());
      aliases.put(copy, original.name());
    }
    // Of a changed table, a copy of the matrix alone is another matrix.
    if (!aliases.isEmpty() && !found.equals(tokens.holders().keySet())) {
      throw differently(weights, tokens, aliases.keySet().toString());
    }
    return new TiedHead(tokens.asOutput(bias), aliases);
  }

  private static MismatchException differently(Weights weights, Embedding tokens, String copy) {
    return new MismatchException(
        "tied weights stored in different ways",
        weights.where(),
        "found " + copy + ", and the embedding as " + tokens.holders().values(),
        "leave the copy out, or set tie_word_embeddings to false if both are meant");
  }
}
