package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * Remembers, when asked to, how each parameter was used in a forward pass.
 *
 * <p>A recording tape taps the output y of every layer: it depends on a leaf of its own, whose
 * gradient after the backward pass is Δ = ∂ℓ/∂y. So the weights themselves need no gradients, and
 * those of single examples are formed from Δ and the layer's inputs.
 */
public final class Tape {

  /**
   * The tap of one layer and what the layer used.
   *
   * @param leaf the array whose gradient is looked at
   */
  public record Tap(NDArray leaf, List<Use> uses) {

    /** Δ [B, T, out], or the gradient of a whole parameter, after the backward pass. */
    public NDArray delta() {
      return leaf.getGradient();
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

  /** Whether gradients will be asked for. */
  public boolean isRecording() {
    return recording;
  }

  /**
   * The output as it is, tapped.
   *
   * @param output newly made, and by an operator that does not need it for its backward pass
   */
  NDArray record(NDArray output, Use... uses) {
    return recording ? tapped(output, output.getManager().zeros(new Shape(1)), uses) : output;
  }

  /**
   * The output with a bias added, tapped at no further cost: the leaf is the bias itself.
   *
   * @param output newly made, and by an operator that does not need it for its backward pass
   */
  NDArray recordShifted(NDArray output, Parameter bias, Use... uses) {
    if (!recording) {
      return output.addi(bias.value());
    }
    List<Use> all = new ArrayList<>(List.of(uses));
    all.add(new Use.Shift(bias));
    return tapped(output, bias.value(), all.toArray(Use[]::new));
  }

  /** An output that depends on nothing that requires a gradient: it is its own tap. */
  NDArray recordSource(NDArray output, Use... uses) {
    if (recording) {
      output.setRequiresGradient(true);
      taps.add(new Tap(output, List.of(uses)));
    }
    return output;
  }

  /**
   * Adds a leaf to the output, in place: no layer needs its output for its own backward pass.
   *
   * @param summand broadcast to the output's shape without being copied
   */
  private NDArray tapped(NDArray output, NDArray summand, Use... uses) {
    NDArray leaf = summand.broadcast(output.getShape());
    leaf.attach(output.getManager());
    leaf.setRequiresGradient(true);
    taps.add(new Tap(leaf, List.of(uses)));
    return output.addi(leaf);
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
