package dev.smelt.gpu.torch;

import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import dev.smelt.formats.DeviceException;
import java.util.function.Supplier;

/**
 * Reverse-mode differentiation. Used directly, not through DJL's gradient collector: that takes
 * only scalar losses and only one at a time in a process.
 */
public final class Autograd {

  private Autograd() {}

  /** Runs {@code forward} so that its result can be differentiated. Affects only this thread. */
  public static <T> T recorded(Supplier<T> forward) {
    boolean before = JniUtils.isGradMode();
    JniUtils.setGradMode(true);
    try {
      return forward.get();
    } finally {
      JniUtils.setGradMode(before);
    }
  }

  /** Runs {@code work} without remembering how results came about. Affects only this thread. */
  public static void unrecorded(Runnable work) {
    boolean before = JniUtils.isGradMode();
    JniUtils.setGradMode(false);
    try {
      work.run();
    } finally {
      JniUtils.setGradMode(before);
    }
  }

  /**
   * Adds Jᵀ g to the gradient of every leaf that requires one, J the Jacobian of {@code output}.
   *
   * @param gradient g, of the shape of {@code output}
   * @param keepGraph whether there will be another backward pass through the same forward pass
   */
  public static void backward(NDArray output, NDArray gradient, boolean keepGraph) {
    try {
      JniUtils.backward((PtNDArray) output, (PtNDArray) gradient, keepGraph, false);
    } catch (EngineException e) {
      throw new DeviceException("backward pass", "a smaller --batch needs less memory", e);
    }
  }

  /** Sets the gradient of a leaf back to zero; gradients add up otherwise. */
  public static void clear(NDArray leaf) {
    JniUtils.zeroGrad((PtNDArray) leaf);
  }
}
