package dev.smelt.compress.prune;

import java.util.Locale;

/** Among which weights the smallest are looked for. */
public enum Scope {
  /** Those of all tensors. */
  GLOBAL,
  /** Those of each tensor: all lose the same share. */
  TENSOR,
  /** Those of one output of a layer, the row of W. */
  ROW;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
