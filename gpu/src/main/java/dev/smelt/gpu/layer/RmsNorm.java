package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.Optional;

/**
 * y = x̂ ⊙ w, or x̂ ⊙ (1 + w), with x̂ = x / √(mean of x² + ε) over the last axis (Zhang and
 * Sennrich 2019).
 *
 * @param epsilon ε, as an array that lives as long as the weights
 * @param one likewise 1, where it is added to w
 */
public record RmsNorm(Parameter weight, NDArray epsilon, Optional<NDArray> one) {

  /**
   * @param x [B, T, width]
   */
  public NDArray forward(NDArray x, Tape tape) {
    NDArray meanSquare = x.square().mean(new int[] {-1}, true);
    NDArray standardized = x.div(meanSquare.add(epsilon).sqrt());
    return tape.record(
        standardized.mul(scale(x.getManager())), new Use.Scale(weight, standardized));
  }

  /** A sum belongs to the batch, or every one would stay as long as the weights. */
  private NDArray scale(NDManager batch) {
    if (one.isEmpty()) {
      return weight.value();
    }
    NDArray sum = weight.value().add(one.get());
    sum.attach(batch);
    return sum;
  }

  /**
   * Each head by itself, all with the same weights.
   *
   * @param x [B, T, heads·width]
   */
  public NDArray forwardHeads(NDArray x, int heads, Tape tape) {
    long batch = x.getShape().get(0);
    long length = x.getShape().get(1);
    long width = x.getShape().get(2) / heads;
    return forward(x.reshape(batch, length * heads, width), tape).reshape(x.getShape());
  }
}
