package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.torch.Tensors;
import java.util.Optional;

/** softmax(Q Kᵀ · scale + bias) V, in several heads. It has no parameters of its own. */
public final class Attention {

  /**
   * Added to scores that must not count. Finite, so that a row may be all of it, and so low that
   * exp of it is exactly zero.
   */
  public static final float MASKED = -1e30f;

  private Attention() {}

  /**
   * @param q [B, T, heads·width], {@code k} and {@code v} likewise
   * @param bias broadcast to [B, heads, T, T]: 0, or {@link #MASKED} for a query and a key that
   *     must not see each other
   * @return [B, T, heads·width]
   */
  public static NDArray attend(
      NDArray q, NDArray k, NDArray v, int heads, double scale, NDArray bias) {
    return attend(split(q, heads), split(k, heads), split(v, heads), scale, Optional.empty(), bias);
  }

  /**
   * In groups of heads (Ainslie et al. 2023): key and value head g serves the query heads g·H/K …
   * (g+1)·H/K − 1. The queries of a group stand below each other in one product, so that keys and
   * values are not repeated.
   *
   * @param q [B, H, T, width]
   * @param k [B, K, T, width], K a divisor of H, and {@code v} likewise
   * @param cap of the scaled scores
   * @return [B, T, H·width]
   */
  public static NDArray attend(
      NDArray q, NDArray k, NDArray v, double scale, Optional<SoftCap> cap, NDArray bias) {
    long batch = q.getShape().get(0);
    long heads = q.getShape().get(1);
    long length = q.getShape().get(2);
    long width = q.getShape().get(3);
    long groups = k.getShape().get(1);
    long rows = heads / groups * length;
    NDArray factor = Tensors.scalar(q.getManager(), scale);
    NDArray scaled = q.mul(factor).reshape(batch, groups, rows, width);
    NDArray products = scaled.matMul(k.transpose(0, 1, 3, 2));
    NDArray scores = cap.map(limit -> limit.apply(products)).orElse(products);
    NDArray weights;
    // Scores are what takes memory in long sequences, and the backward pass needs the weights only.
    try (products;
        scores;
        NDArray perHead = scores.reshape(batch, heads, length, length)) {
      weights = perHead.addi(bias).softmax(-1);
    }
    NDArray mixed = weights.reshape(batch, groups, rows, length).matMul(v);
    return mixed
        .reshape(batch, heads, length, width)
        .transpose(0, 2, 1, 3)
        .reshape(batch, length, heads * width);
  }

  /** [B, T, heads·width] → [B, heads, T, width]. */
  public static NDArray split(NDArray x, int heads) {
    long batch = x.getShape().get(0);
    long length = x.getShape().get(1);
    return x.reshape(batch, length, heads, x.getShape().get(2) / heads).transpose(0, 2, 1, 3);
  }

  /**
   * Bias [1, 1, T, T] that hides the future.
   *
   * @param like an array whose manager owns the result
   */
  public static NDArray causalBias(NDArray like, int length) {
    return causalBias(like, length, length);
  }

  /**
   * Bias [1, 1, T, T] that hides the future and all but the last {@code window} tokens, the query
   * itself being one of them.
   *
   * @param like an array whose manager owns the result
   */
  public static NDArray causalBias(NDArray like, int length, int window) {
    float[] bias = new float[length * length];
    for (int query = 0; query < length; query++) {
      for (int key = 0; key < length; key++) {
        boolean seen = key <= query && query - key < window;
        bias[query * length + key] = seen ? 0 : MASKED;
      }
    }
    return like.getManager().create(bias, new Shape(1, 1, length, length));
  }

  /**
   * Bias [B, 1, 1, T] that hides padding.
   *
   * @param like an array whose manager owns the result
   * @param lengths tokens of each example that are not padding
   */
  public static NDArray paddingBias(NDArray like, int[] lengths, int length) {
    float[] bias = new float[lengths.length * length];
    for (int b = 0; b < lengths.length; b++) {
      for (int key = lengths[b]; key < length; key++) {
        bias[b * length + key] = MASKED;
      }
    }
    return like.getManager().create(bias, new Shape(lengths.length, 1, 1, length));
  }
}
