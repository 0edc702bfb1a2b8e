package dev.smelt.compress.lowrank;

/**
 * What a decomposition may lose against the best one, as energy (a squared norm).
 *
 * @param total ‖X‖²
 * @param tolerance of the error, relative to the least one
 * @param roundoff unit roundoff of the result; errors near it are as good as none
 */
record Allowance(double total, double tolerance, double roundoff) {

  /** In units of roundoff: what rounding the factors alone costs at worst. */
  private static final double FLOOR = 16;

  /** How often lower ranks than the wanted one are looked at. */
  private static final int STEPS = 8;

  /** What may be lost where the least error² is {@code tail}. */
  double at(double tail) {
    double floor = FLOOR * roundoff;
    return tail * (2 + tolerance) * tolerance + floor * floor * total;
  }

  /**
   * The largest share of the allowance that eigenvectors lose, over ranks up to {@code rank}, when
   * they were computed from X Xᵀ + E. To second order in E, whose elements are taken to be of equal
   * size, cutting at r costs Σ_{i≤r<j} E_ij²/(λ_i − λ_j); between eigenvalues closer than ‖E‖₂ ≈
   * ‖E‖/√n nothing is to be won.
   *
   * @param eigenvalues λ, all n of them, falling
   * @param error ‖E‖
   */
  double lostTo(double error, double[] eigenvalues, int rank) {
    int n = eigenvalues.length;
    double element = error / n;
    double closest = Math.max(error / Math.sqrt(n), Double.MIN_NORMAL);
    double[] tails = new double[n + 1];
    for (int i = n - 1; i >= 0; i--) {
      tails[i] = tails[i + 1] + Math.max(0, eigenvalues[i]);
    }
    double worst = 0;
    for (int step = 0; step <= STEPS; step++) {
      int r = step == 0 ? rank - 1 : Math.ceilDiv(rank * step, STEPS);
      double sum = 0;
      for (int i = 0; i < r; i++) {
        for (int j = r; j < n; j++) {
          sum += 1 / Math.max(closest, eigenvalues[i] - eigenvalues[j]);
        }
      }
      worst = Math.max(worst, element * element * sum / at(tails[r]));
    }
    return worst;
  }
}
