package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import dev.smelt.gpu.torch.Tensors;

/**
 * y = c · tanh(x / c): keeps values inside (−c, c) and leaves small ones as they are.
 *
 * @param limit c
 */
public record SoftCap(double limit) {

  public NDArray apply(NDArray x) {
    NDArray c = Tensors.scalar(x.getManager(), limit);
    return x.div(c).tanh().mul(c);
  }
}
