package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

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

  /**
   * Thrown out of a forward pass whose tape has heard all that it was to hear. What the pass has
   * made until then stays with its manager.
   */
  public static final class EndOfTape extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private EndOfTape() {
      super("the tape has heard all it was to hear", null, false, false);
    }
  }

  private final boolean recording;
  private final Set<String> heard;
  private final int uses;
  private final List<Use.Product> products = new ArrayList<>();
  private final List<Tap> taps = new ArrayList<>();
  private final List<NDArray> hidden = new ArrayList<>();

  private Tape(boolean recording, Set<String> heard, int uses) {
    this.recording = recording;
    this.heard = heard;
    this.uses = uses;
  }

  /** Remembers nothing and changes nothing. */
  public static Tape off() {
    return new Tape(false, Set.of(), 0);
  }

  /** For one forward pass. */
  public static Tape recording() {
    return new Tape(true, Set.of(), 0);
  }

  /**
   * Remembers the inputs of some matrices and nothing else: without taps, for no backward pass.
   *
   * @param parameters the matrices, at least one
   * @param uses after how many uses of them the forward pass is ended by {@link EndOfTape}; {@link
   *     Integer#MAX_VALUE} lets it run to its end
   */
  public static Tape listening(Set<String> parameters, int uses) {
    return new Tape(false, Set.copyOf(parameters), uses);
  }

  /** Whether somebody will ask how parameters were used. */
  public boolean isRecording() {
    return recording || !heard.isEmpty();
  }

  /** What a listening tape has heard, in the order of the forward pass. */
  public List<Use.Product> products() {
    return List.copyOf(products);
  }

  private void hear(Use... used) {
    for (Use use : used) {
      if (use instanceof Use.Product product && heard.contains(product.parameter().name())) {
        products.add(product);
      }
    }
    if (products.size() >= uses && !heard.isEmpty()) {
      throw new EndOfTape();
    }
  }

  /**
   * The output as it is, tapped.
   *
   * @param output newly made, and by an operator that does not need it for its backward pass
   */
  NDArray record(NDArray output, Use... uses) {
    hear(uses);
    return recording ? tapped(output, output.getManager().zeros(new Shape(1)), uses) : output;
  }

  /**
   * The output with a bias added, tapped at no further cost: the leaf is the bias itself.
   *
   * @param output newly made, and by an operator that does not need it for its backward pass
   */
  NDArray recordShifted(NDArray output, Parameter bias, Use... uses) {
    hear(uses);
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

  /**
   * Notes the hidden states between blocks.
   *
   * @param block before which they are; the number of blocks for those behind the last
   * @param x [B, T, width], not changed in place afterwards
   */
  public void hidden(int block, NDArray x) {
    if (recording) {
      if (block != hidden.size()) {
        throw new IllegalArgumentException("block " + block + " after " + hidden.size());
      }
      hidden.add(x);
    }
  }

  /** Hidden states before each block and behind the last; empty where the network has no blocks. */
  public List<NDArray> hidden() {
    return List.copyOf(hidden);
  }

  /** In the order of the forward pass. */
  public List<Tap> taps() {
    return List.copyOf(taps);
  }
}
