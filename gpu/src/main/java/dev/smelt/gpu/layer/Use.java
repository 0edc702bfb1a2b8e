package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;

/**
 * How a layer used a parameter θ in a forward pass, with what is needed to turn Δ = ∂ℓ/∂y, the
 * gradient of the layer's output y [B, T, out], into gradients of θ.
 */
public sealed interface Use {

  Parameter parameter();

  /**
   * y = x Wᵀ, or y = x W.
   *
   * @param x [B, T, in]
   */
  record Product(Parameter parameter, Layout layout, NDArray x) implements Use {}

  /** y = … + b. */
  record Shift(Parameter parameter) implements Use {}

  /**
   * y = x̂ ⊙ w + ….
   *
   * @param x x̂ [B, T, out]
   */
  record Scale(Parameter parameter, NDArray x) implements Use {}

  /**
   * In a way that is not known. The tap is the parameter itself and Δ its gradient, so that of a
   * single example takes a backward pass of its own.
   */
  record Whole(Parameter parameter) implements Use {}

  /**
   * y = rows of a table.
   *
   * @param rows which ones, [B, T], row-major
   */
  @SuppressWarnings("ArrayRecordComponent") // read-only by convention, never compared
  record Lookup(Parameter parameter, int[] rows) implements Use {}
}
