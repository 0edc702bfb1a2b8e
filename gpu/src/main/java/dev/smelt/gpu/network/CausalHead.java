package dev.smelt.gpu.network;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.model.Architecture;
import dev.smelt.gpu.data.InputSpec;
import dev.smelt.gpu.data.Task;
import dev.smelt.gpu.data.TokenBatch;
import dev.smelt.gpu.layer.Embedding;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What causal networks end in: a matrix that gives each token's hidden state the logits of the next
 * token, or {@code score} [classes, width], which gives that of the last token those of classes.
 *
 * @param aliases see {@link Built}
 */
record CausalHead(Linear linear, InputSpec.Tokens input, Map<String, String> aliases) {

  /**
   * @param weights of the whole checkpoint
   * @param module of the language model's matrix
   * @param maxPositions tokens that a sequence may have
   */
  static CausalHead of(
      Task task,
      ModelConfig config,
      Weights weights,
      Embedding tokens,
      String module,
      int maxPositions) {
    long vocabulary = tokens.rows();
    long width = tokens.width();
    List<String> labels =
        task == Task.CLASSIFICATION ? ClassNames.of(config, weights, "score.weight") : List.of();
    InputSpec.Tokens input =
        new InputSpec.Tokens(task, maxPositions, Math.toIntExact(vocabulary), labels);
    if (task == Task.CLASSIFICATION) {
      Linear score = weights.linear("score", width, labels.size(), Layout.OUT_IN, Bias.NO);
      return new CausalHead(score, input, Map.of());
    }
    if (Architecture.of(Optional.of(config)).isTied(config)) {
      TiedHead tied = TiedHead.of(weights, tokens, module, Optional.empty());
      return new CausalHead(tied.linear(), input, tied.aliases());
    }
    Linear own = weights.linear(module, width, vocabulary, Layout.OUT_IN, Bias.NO);
    return new CausalHead(own, input, Map.of());
  }

  /**
   * @param hidden [B, T, width]
   * @return logits [B, T, vocabulary] or [B, 1, classes]
   */
  NDArray forward(NDArray hidden, TokenBatch batch, Tape tape) {
    boolean classifies = input.task() == Task.CLASSIFICATION;
    return linear.forward(classifies ? last(hidden, batch) : hidden, tape);
  }

  /**
   * The hidden state [B, 1, width] of each example's last token, picked by a product with 0s and a
   * 1.
   */
  private static NDArray last(NDArray hidden, TokenBatch batch) {
    float[] picks = new float[batch.size() * batch.length()];
    for (int b = 0; b < batch.size(); b++) {
      picks[b * batch.length() + batch.lengths()[b] - 1] = 1;
    }
    NDArray pick = hidden.getManager().create(picks, new Shape(batch.size(), 1, batch.length()));
    return pick.matMul(hidden);
  }
}
