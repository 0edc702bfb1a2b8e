package dev.smelt.compress.dampen;

import dev.smelt.formats.UsageException;

/**
 * Selective synaptic dampening. With F the Fisher information of a weight θ on the data to be
 * forgotten and R that on the data to be retained,
 *
 * <pre>θ ← θ · min(λ R / F, 1) where F > α R,</pre>
 *
 * and θ stays as it is elsewhere. A weight that the retained data do not reach at all, R = 0 < F,
 * becomes 0.
 *
 * <p>Foster, Schoepf and Brintrup, "Fast machine unlearning without retraining through selective
 * synaptic dampening", AAAI 2024, arXiv 2308.07707. There R is of all data, those to be forgotten
 * included.
 *
 * @param alpha α, how many times as much a weight must matter to be lowered; positive
 * @param lambda λ, how much of it is left; at least 0
 */
public record Dampening(double alpha, double lambda) {

  public static final double DEFAULT_ALPHA = 10;
  public static final double DEFAULT_LAMBDA = 1;

  public Dampening {
    if (!(alpha > 0) || Double.isInfinite(alpha)) {
      throw new UsageException("--alpha " + alpha + " makes no sense", "use a positive number");
    }
    if (!(lambda >= 0) || Double.isInfinite(lambda)) {
      throw new UsageException("--lambda " + lambda + " makes no sense", "use 0 or more");
    }
  }

  /**
   * What a weight is multiplied with, in [0, 1].
   *
   * @param forget F ≥ 0
   * @param retain R ≥ 0
   */
  double factor(double forget, double retain) {
    return forget > alpha * retain ? Math.min(lambda * retain / forget, 1) : 1;
  }
}
