package dev.smelt.gpu.layer;

/** How a matrix is stored. */
public enum Layout {
  /** [out, in]: y = x Wᵀ, as most layers do. */
  OUT_IN,
  /** [in, out]: y = x W, as GPT-2's Conv1D does. */
  IN_OUT
}
