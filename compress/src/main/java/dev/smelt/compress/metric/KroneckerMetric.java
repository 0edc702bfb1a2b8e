package dev.smelt.compress.metric;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistics;

/**
 * The Fisher matrix of a layer as a Kronecker product G ⊗ A of the Gram matrices of its output
 * gradients and inputs (Martens and Grosse, ICML 2015, arXiv 1503.05671): L = chol(G)ᵀ, R =
 * chol(A), and ½‖L(W − Ŵ)R‖² over the positions of an example is the predicted increase of its
 * loss. As a metric of factorisation: "Generalized Fisher-Weighted SVD", arXiv 2505.17974.
 *
 * @param statistics with both Gram matrices of the layers
 * @param damping added to each diagonal, as a share of its mean
 */
public record KroneckerMetric(Statistics statistics, double damping) implements Metric {

  /** Of the mean of the diagonal. */
  public static final double DEFAULT_DAMPING = 1e-4;

  public KroneckerMetric {
    requireDamping(damping);
  }

  static void requireDamping(double damping) {
    if (!(damping >= 0 && damping <= 1)) {
      throw new UsageException(
          "--damping " + damping + " is out of range", "use a number in [0, 1]");
    }
  }

  @Override
  public String name() {
    return "kronecker";
  }

  @Override
  public boolean predictsLoss() {
    return statistics.provenance().tokens().orElse(0) > 0;
  }

  @Override
  public Weighted weighting(LinearAlgebra algebra, Layer layer) {
    GramRoot gradient = GramRoot.ofGradients(algebra, statistics, layer, damping);
    GramRoot input = GramRoot.ofInputs(algebra, statistics, layer, damping);
    if (gradient.isZero() || input.isZero()) {
      return Weighted.withoutInformation(input.isZero() ? "inputs are" : "gradients are");
    }
    return new Weighted(
        new Weighting(gradient.weight(), input.weight(), lossPerEnergy()),
        Math.max(gradient.shrinkage(), input.shrinkage()));
  }

  @Override
  public Curvature.Sides sides(Layer layer) {
    return new Curvature.Sides(
        Grams.ofGradients(statistics, layer), Grams.ofInputs(statistics, layer));
  }

  /**
   * The Gram matrices are sums over the P positions of an example: A = P E[xxᵀ], G = P E[δδᵀ]. With
   * positions independent of each other an example's Fisher matrix is P E[δδᵀ] ⊗ E[xxᵀ] = G ⊗ A /
   * P.
   */
  private double lossPerEnergy() {
    return 0.5 / positions(statistics);
  }

  /** P, on average; 1 where the statistics do not say, which scales all layers alike. */
  static double positions(Statistics statistics) {
    long tokens = statistics.provenance().tokens().orElse(0);
    long examples = statistics.provenance().examples().orElse(0);
    return tokens > 0 && examples > 0 ? (double) tokens / examples : 1;
  }
}
