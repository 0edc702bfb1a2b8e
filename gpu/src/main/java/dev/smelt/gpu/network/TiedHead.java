package dev.smelt.gpu.network;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Weights;
import java.util.Arrays;
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
   * @throws MismatchException when the two are tied and stored with different values
   */
  static TiedHead of(Weights weights, Embedding tokens, String head) {
    Parameter table = tokens.table();
    Optional<TensorView> stored = weights.find(head + ".weight");
    stored.ifPresent(matrix -> requireEqual(weights, matrix, table));
    return new TiedHead(
        new Linear.Dense(table, Layout.OUT_IN, Optional.empty()),
        stored.map(matrix -> Map.of(matrix.name(), table.name())).orElse(Map.of()));
  }

  private static void requireEqual(Weights weights, TensorView head, Parameter embedding) {
    TensorView table = weights.find(embedding.name()).orElseThrow();
    if (!sameValues(head, table)) {
      throw new MismatchException(
          "tied weights differ",
          weights.where(),
          "expected " + head.name() + " equal to " + table.name() + " as tie_word_embeddings says",
          "set tie_word_embeddings to false in config.json if both are meant");
    }
  }

  private static boolean sameValues(TensorView a, TensorView b) {
    if (!a.shape().equals(b.shape())) {
      return false;
    }
    return a.dtype() == b.dtype()
        ? a.segment().mismatch(b.segment()) < 0
        : Arrays.equals(a.toFloats(), b.toFloats());
  }
}
