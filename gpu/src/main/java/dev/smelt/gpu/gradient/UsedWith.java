package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import dev.smelt.gpu.layer.Use;
import java.util.Optional;

/**
 * A use of a parameter, and what the backward pass found there.
 *
 * @param found Δ = ∂ℓ/∂y [B, T, out], or the gradient of a parameter used whole; empty where there
 *     was no backward pass
 */
record UsedWith(Use use, Optional<NDArray> found) {

  NDArray delta() {
    return found.orElseThrow(() -> new IllegalStateException("no backward pass of " + use));
  }
}
