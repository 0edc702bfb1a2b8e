package dev.smelt.gpu.eval;

import java.util.OptionalDouble;

/**
 * How well a network predicts data.
 *
 * @param loss mean negative log-likelihood in nats: per token predicted, or per example for
 *     classification
 * @param perplexity e^loss, where tokens are predicted
 * @param accuracy fraction of predictions whose most likely token or class is right; of equals the
 *     first counts
 * @param examples windows or sequences
 * @param tokens input tokens, padding not counted; 0 where examples are no sequences
 * @param seconds wall-clock time of the evaluation, without its first forward pass
 */
public record Evaluation(
    double loss,
    OptionalDouble perplexity,
    double accuracy,
    long examples,
    long tokens,
    double seconds) {

  /** Input tokens per second, where tokens are predicted. */
  public OptionalDouble tokensPerSecond() {
    return perplexity.isPresent() ? OptionalDouble.of(tokens / seconds) : OptionalDouble.empty();
  }

  /** Examples per second, where each has one label. */
  public OptionalDouble examplesPerSecond() {
    return perplexity.isPresent() ? OptionalDouble.empty() : OptionalDouble.of(examples / seconds);
  }
}
