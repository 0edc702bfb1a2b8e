package dev.smelt.merge.fusion;

/**
 * KL(p ‖ q) of p = softmax θ and q = softmax θ₀ for one row, in nats. The row is looked at twice,
 * in parts.
 *
 * <p>KL = Σ pδ − log Σ q e^δ with δ = θ − θ₀ − s for any s, here that of the first element: so rows
 * that differ by a constant have KL = 0, as they should. Where no |δ| is above 1 the logarithm is
 * that of 1 + Σ q(e^δ − 1), which has its digits for the smallest changes too; the plain difference
 * of the two sums of exponentials, which is taken elsewhere, would have none.
 */
final class Divergence {

  private double largest = Double.NEGATIVE_INFINITY;
  private double largestOfBase = Double.NEGATIVE_INFINITY;
  private double shift = Double.NaN;
  private double widest;

  /** Σ e^(θ₀ − max θ₀). */
  private double ofBase;

  /** Σ e^(θ − m), m the largest θ₀ if the rows are near each other, else the largest θ. */
  private double ofModel;

  /** The difference of these two, of near rows. */
  private double rise;

  /** Σ e^(θ − m) δ. */
  private double weighted;

  private boolean isNear() {
    return widest <= 1;
  }

  /** Looks at elements {@code from … to-1} for the first time. */
  void look(double[] base, double[] model, int from, int to) {
    if (Double.isNaN(shift)) {
      shift = model[from] - base[from];
    }
    for (int k = from; k < to; k++) {
      largest = Math.max(largest, model[k]);
      largestOfBase = Math.max(largestOfBase, base[k]);
      widest = Math.max(widest, Math.abs(model[k] - base[k] - shift));
    }
  }

  /** Looks at them for the second time, when all have been looked at. */
  void add(double[] base, double[] model, int from, int to) {
    for (int k = from; k < to; k++) {
      double delta = model[k] - base[k] - shift;
      double q = Math.exp(base[k] - largestOfBase);
      double p;
      if (isNear()) {
        double more = q * Math.expm1(delta);
        rise += more;
        p = q + more;
      } else {
        p = Math.exp(model[k] - largest);
      }
      ofBase += q;
      ofModel += p;
      // Where there is no weight, δ may be infinite.
      weighted += p == 0 ? 0 : p * delta;
    }
  }

  /** The divergence, at most the largest double. */
  double value() {
    double ratio =
        isNear()
            ? Math.log1p(rise / ofBase)
            : largest - largestOfBase - shift + Math.log(ofModel / ofBase);
    double divergence = weighted / ofModel - ratio;
    // Of infinite differences it is no number.
    return divergence < Double.MAX_VALUE ? Math.max(0, divergence) : Double.MAX_VALUE;
  }
}
