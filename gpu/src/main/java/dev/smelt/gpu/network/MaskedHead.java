package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import dev.smelt.formats.ModelConfig;
import dev.smelt.gpu.layer.Activation;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.LayerNorm;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What turns hidden states into predictions of hidden tokens: a layer, its norm, and the word
 * embeddings again with a bias of their own.
 *
 * @param decoder [vocabulary, width]: the word embeddings, unless {@code tie_word_embeddings} is
 *     false
 * @param aliases tensors that are stored copies, with the name of the original
 */
record MaskedHead(
    Linear transform,
    Activation activation,
    LayerNorm norm,
    Linear decoder,
    Map<String, String> aliases) {

  /**
   * Modules and tensors, as a family names them.
   *
   * @param bias names of the one bias of the decoder; those beyond the first that is there are
   *     copies
   */
  record Names(String transform, String norm, String decoder, List<String> bias) {}

  MaskedHead {
    aliases = Map.copyOf(aliases);
  }

  /**
   * @throws dev.smelt.formats.MismatchException when a stored copy differs from its original
   */
  static MaskedHead of(
      ModelConfig config,
      Weights weights,
      Names names,
      Embedding tokens,
      Activation activation,
      double epsilon) {
    long vocabulary = tokens.rows();
    long width = tokens.width();
    Map<String, String> aliases = new TreeMap<>();
    Linear transform = weights.linear(names.transform(), width, width, Layout.OUT_IN, Bias.YES);
    LayerNorm norm = weights.layerNorm(names.norm(), width, epsilon);
    Optional<Parameter> bias = Optional.of(bias(weights, names.bias(), vocabulary, aliases));
    if (config.flag("tie_word_embeddings", true)) {
      TiedHead tied = TiedHead.of(weights, tokens, names.decoder(), bias);
      aliases.putAll(tied.aliases());
      return new MaskedHead(transform, activation, norm, tied.linear(), aliases);
    }
    Parameter own = weights.parameter(names.decoder() + ".weight", vocabulary, width);
    return new MaskedHead(
        transform, activation, norm, new Linear.Dense(own, Layout.OUT_IN, bias), aliases);
  }

  private static Parameter bias(
      Weights weights, List<String> names, long vocabulary, Map<String, String> aliases) {
    List<String> stored = names.stream().filter(name -> weights.find(name).isPresent()).toList();
    String first = stored.isEmpty() ? names.getFirst() : stored.getFirst();
    Parameter bias = weights.parameter(first, vocabulary);
    for (String copy : stored) {
      if (!copy.equals(first)) {
        StoredCopies.requireEqual(weights, copy, first);
        aliases.put(copy, first);
      }
    }
    return bias;
  }

  /**
   * @param hidden [B, T, width]
   * @return [B, T, vocabulary]
   */
  NDArray forward(NDArray hidden, Tape tape) {
    NDArray transformed = activation.apply(transform.forward(hidden, tape));
    return decoder.forward(norm.forward(transformed, tape), tape);
  }
}
