package dev.smelt.compress.lowrank;

import java.util.Arrays;

/**
 * Singular values of a weighted matrix T = L W R.
 *
 * @param singularValues the largest ones, falling; fewer than T has where only those were asked for
 * @param norm ‖T‖ = √Σ σ_k² over all of them
 */
@SuppressWarnings("ArrayRecordComponent") // copied on the way in and out, never compared
public record Spectrum(double[] singularValues, double norm) {

  public Spectrum {
    singularValues = singularValues.clone();
    for (int i = 0; i < singularValues.length; i++) {
      double above = i == 0 ? Double.POSITIVE_INFINITY : singularValues[i - 1];
      if (!(singularValues[i] >= 0 && singularValues[i] <= above)) {
        throw new IllegalArgumentException("singular value " + i + " is " + singularValues[i]);
      }
    }
  }

  @Override
  public double[] singularValues() {
    return singularValues.clone();
  }

  /** How many singular values are known. */
  public int size() {
    return singularValues.length;
  }

  /**
   * (Σ_{k>r} σ_k²) / ‖T‖² for r = 0 … {@link #size()}: what is lost at rank r, as a share. Summed
   * from the smallest up, so that a small tail is not lost in a large total.
   */
  public double[] tails() {
    double[] tails = new double[size() + 1];
    if (norm == 0) {
      return tails;
    }
    double known = 0;
    for (int k = size() - 1; k >= 0; k--) {
      known += share(k);
    }
    double unknown = Math.max(0, 1 - known);
    // What rounding leaves over where all values are known is no tail.
    double tail = unknown <= size() * Math.ulp(1.0) ? 0 : unknown;
    tails[size()] = tail;
    for (int k = size() - 1; k >= 0; k--) {
      tail += share(k);
      tails[k] = tail;
    }
    return tails;
  }

  /** σ_k² / ‖T‖², without overflow. */
  public double share(int k) {
    double ratio = norm == 0 ? 0 : singularValues[k] / norm;
    return ratio * ratio;
  }

  @Override
  public String toString() {
    return Arrays.toString(singularValues) + " of norm " + norm;
  }
}
