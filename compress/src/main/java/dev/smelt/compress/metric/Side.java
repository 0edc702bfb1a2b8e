package dev.smelt.compress.metric;

import java.util.Locale;

/** Which sums of the Fisher information weight a matrix. */
public enum Side {
  /** R = diag(√d) with d over inputs. */
  INPUT,
  /** L = diag(√d) with d over outputs. */
  OUTPUT,
  /** Both; optimal where the Fisher information is an outer product. */
  BOTH;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
