package dev.smelt.compress.lowrank;

/**
 * Eigenvalues of G, roughly, from the pivots r_k of G Ω with random signs Ω, m×l: r_k² ≈ k γ_k,
 * where γ_k solves Σ_j λ_j²/(λ_j² + γ) = k (Dereziński, Liang, Liao and Mahoney, "Precise
 * expressions for random projections", 2020). So √γ_k is λ_k, smoothed.
 */
final class RoughSpectrum {

  /** Steeper spectra are extrapolated as if they were this steep. */
  private static final double STEEPEST = 0.75;

  /** Pivots that are averaged to read off an eigenvalue. */
  private static final int WINDOW = 20;

  private RoughSpectrum() {}

  /** λ₁ ≥ … ≥ λ_l. */
  static double[] of(double[] pivots) {
    double[] values = new double[pivots.length];
    for (int k = 0; k < values.length; k++) {
      int from = Math.max(0, k - WINDOW + 1);
      double sum = 0;
      for (int i = from; i <= k; i++) {
        sum += Math.log(Math.max(pivots[i], Double.MIN_NORMAL) / Math.sqrt(i + 1.0));
      }
      double value = Math.exp(sum / (k - from + 1));
      values[k] = k == 0 ? value : Math.min(value, values[k - 1]);
    }
    double correction = correction(values);
    for (int k = 0; k < values.length; k++) {
      values[k] *= correction;
    }
    return values;
  }

  /**
   * Where the number of eigenvalues above λ falls as λ^{−2a}, √γ is too large by (πa / sin
   * πa)^{1/2a}. The geometric mean of both is taken, since spectra end.
   */
  private static double correction(double[] values) {
    int l = values.length;
    int half = Math.max(1, l / 2);
    double fall = 2 * Math.log(values[half - 1] / values[l - 1]);
    double steepness = fall > 0 ? Math.log((double) l / half) / fall : STEEPEST;
    double a = Math.clamp(steepness, 1e-3, STEEPEST);
    return Math.pow(Math.PI * a / Math.sin(Math.PI * a), -1 / (4 * a));
  }
}
