package dev.smelt.gpu.gradient;

import ai.djl.ndarray.NDArray;
import dev.smelt.gpu.layer.Use;

/**
 * A use of a parameter, and what the backward pass found there.
 *
 * @param delta Δ = ∂ℓ/∂y [B, T, out], or the gradient of a parameter used whole
 */
record UsedWith(Use use, NDArray delta) {}
