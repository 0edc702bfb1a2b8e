package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.List;

/**
 * Remembers, when asked to, how each parameter was used in a forward pass.
 *
 * <p>A recording tape adds to the output of every layer a tap: zeros that require a gradient, which
 * after the backward pass is Δ = ∂ℓ/∂y. So the weights themselves need no gradients, and those of
 * single examples are formed from Δ and the layer's inputs.
 */
public final class Tape {

  /**
   * The tap of one layer and what the layer used.
   *
   * @param zeros the leaf whose gradient is looked at
   */
  public record Tap(NDArray zeros, List<Use> uses) {

    /** Δ [B, T, out], or the gradient of a whole parameter, after the backward pass. */
    public NDArray delta() {
      return zeros.getGradient();
    }
  }

  private final boolean recording;
  private final List<Tap> taps = new ArrayList<>();

  private Tape(boolean recording) {
    this.recording = recording;
  }

  /** Remembers nothing and changes nothing. */
  public static Tape off() {
    return new Tape(false);
  }

  /** For one forward pass. */
  public static Tape recording() {
    return new Tape(true);
  }

  NDArray record(NDArray output, Use... uses) {
    if (!recording) {
      return output;
    }
    NDArray zeros = output.getManager().zeros(output.getShape(), DataType.FLOAT32);
    zeros.setRequiresGradient(true);
    taps.add(new Tap(zeros, List.of(uses)));
    return output.add(zeros);
  }

  /**
   * Notes that a parameter is used in a way that is not known.
   *
   * @param leaf its value, which requires a gradient; whoever owns it clears that gradient
   */
  public void whole(Parameter parameter, NDArray leaf) {
    if (recording) {
      taps.add(new Tap(leaf, List.of(new Use.Whole(parameter))));
    }
  }

  /** In the order of the forward pass. */
  public List<Tap> taps() {
    return List.copyOf(taps);
  }
}
