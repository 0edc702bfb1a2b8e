package dev.smelt.compress.lowrank;

import java.util.Locale;

/** How singular directions are computed. */
public enum Route {
  /** Eigenvectors of the Gram matrix on the smaller side. */
  GRAM,
  /** A subspace found by products with random vectors. */
  RANDOM,
  /** A full SVD by divide and conquer (LAPACK gesdd). */
  SVD;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
