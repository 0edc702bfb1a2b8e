package dev.smelt.gpu.network;

import dev.smelt.formats.TensorView;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Weights;
import java.util.Map;
import java.util.Optional;

/**
 * The output matrix of a language model, [vocabulary, width], where it is the token embedding
 * itself.
 *
 * @param aliases the head's own tensor when it is stored although tied, with the embedding's name
 */
record TiedHead(Linear linear, Map<String, String> aliases) {

  /**
   * @param weights of the whole checkpoint
   * @param head the module that would hold a matrix of its own
   * @throws dev.smelt.formats.MismatchException when the two are tied and stored with different
   *     values
   */
  static TiedHead of(Weights weights, Embedding tokens, String head) {
    Parameter table = tokens.table();
    Optional<TensorView> stored = weights.find(head + ".weight");
    stored.ifPresent(matrix -> StoredCopies.requireEqual(weights, matrix.name(), table.name()));
    return new TiedHead(
        new Linear.Dense(table, Layout.OUT_IN, Optional.empty()),
        stored.map(matrix -> Map.of(matrix.name(), table.name())).orElse(Map.of()));
  }
}
