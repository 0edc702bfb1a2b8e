package dev.smelt.gpu.network;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.TensorView;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * The output matrix of a language model, [vocabulary, width]: the token embedding itself when the
 * config ties them ({@code tie_word_embeddings}, true unless it says otherwise), or {@code
 * lm_head.weight}.
 *
 * @param aliases {@code lm_head.weight} when it is stored although tied, with the embedding's name
 */
record TiedHead(Linear linear, Map<String, String> aliases) {

  private static final String HEAD = "lm_head.weight";

  /**
   * @param embedding name of the token embedding inside the base model
   * @throws MismatchException when the two are tied and stored with different values
   */
  static TiedHead of(
      ModelConfig config, Weights weights, String embedding, int vocabulary, int width) {
    if (!config.flag("tie_word_embeddings", true)) {
      return new TiedHead(
          weights.linear("lm_head", width, vocabulary, Layout.OUT_IN, Bias.NO), Map.of());
    }
    Parameter table = weights.inOptional("transformer").parameter(embedding, vocabulary, width);
    Optional<TensorView> stored = weights.find(HEAD);
    stored.ifPresent(head -> requireEqual(weights, head, embedding));
    return new TiedHead(
        new Linear.Dense(table, Layout.OUT_IN, Optional.empty()),
        stored.isPresent() ? Map.of(HEAD, table.name()) : Map.of());
  }

  private static void requireEqual(Weights weights, TensorView head, String embedding) {
    TensorView table = weights.inOptional("transformer").find(embedding).orElseThrow();
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
