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
    long vocabulary = tokens.table().info().shape().size(0);
    long width = tokens.table().info().shape().size(1);
    Map<String, String> aliases = new TreeMap<>();
    Linear transform = weights.linear(names.transform(), width, width, Layout.OUT_IN, Bias.YES);
    LayerNorm norm = weights.layerNorm(names.norm(), width, epsilon);
    String own = names.decoder() + ".weight";
    boolean tied = config.flag("tie_word_embeddings", true);
    if (tied && weights.find(own).isPresent()) {
      StoredCopies.requireEqual(weights, own, tokens.table().name());
      aliases.put(own, tokens.table().name());
    }
    Parameter matrix = tied ? tokens.table() : weights.parameter(own, vocabulary, width);
    Parameter bias = bias(weights, names.bias(), vocabulary, aliases);
    return new MaskedHead(
        transform,
        activation,
        norm,
        new Linear.Dense(matrix, Layout.OUT_IN, Optional.of(bias)),
        aliases);
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
