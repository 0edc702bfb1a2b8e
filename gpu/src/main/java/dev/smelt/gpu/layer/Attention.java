package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.smelt.gpu.torch.Tensors;

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
    NDArray keys = split(k, heads).transpose(0, 1, 3, 2);
    NDArray factor = Tensors.scalar(q.getManager(), scale);
    NDArray scores = split(q, heads).matMul(keys).mul(factor).add(bias);
    NDArray mixed = scores.softmax(-1).matMul(split(v, heads));
    return mixed.transpose(0, 2, 1, 3).reshape(q.getShape());
  }

  /** [B, T, heads·width] → [B, heads, T, width]. */
  private static NDArray split(NDArray x, int heads) {
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
    float[] bias = new float[length * length];
    for (int query = 0; query < length; query++) {
      for (int key = query + 1; key < length; key++) {
        bias[query * length + key] = MASKED;
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
