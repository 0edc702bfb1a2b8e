package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.metric.Curvature;
import dev.smelt.compress.metric.Grams;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;

/**
 * H = A + damping·mean(diag A)·I with the Gram matrix A of a layer's inputs: tr(ΔHΔᵀ) is what a
 * change Δ of the weights does to the layer's outputs.
 *
 * @param statistics with {@link Statistic#INPUT_GRAM}
 * @param damping as a share of the mean diagonal, above 0
 */
public record InputGram(Statistics statistics, double damping) {

  /** As in SparseGPT. */
  public static final double DAMPING = 0.01;

  /**
   * @throws UsageException when damping is no positive number
   */
  public InputGram {
    requireDamping(damping);
  }

  /**
   * @throws UsageException when damping is no positive number
   */
  public static void requireDamping(double damping) {
    if (!(damping > 0) || Double.isInfinite(damping)) {
      throw new UsageException("--damping " + damping + " is out of range", "use 1e-6 to 1");
    }
  }

  /**
   * A.
   *
   * @throws NotFoundException when the statistics lack it
   * @throws MismatchException when it is of another order, or not of inputs
   */
  public Curvature.Gram of(Layer layer) {
    Curvature.Gram gram = Grams.ofInputs(statistics, layer);
    double mean = gram.meanDiagonal();
    if (mean < 0) {
      throw new MismatchException(
          "invalid Gram matrix",
          statistics.path() + "|" + gram.view().name(),
          "expected a diagonal of squares, found " + mean + " as its mean",
          "compute the statistics again");
    }
    return gram;
  }

  /**
   * H, in×in, f64.
   *
   * @throws NotFoundException when the statistics lack the matrix, or no input was ever other than
   *     zero
   */
  Matrix load(LinearAlgebra algebra, Layer layer) {
    Curvature.Gram gram = of(layer);
    double mean = gram.meanDiagonal();
    if (mean == 0) {
      throw new NotFoundException(
          "inputs of a layer are zero in all data",
          statistics.path() + "|" + layer.weight().name(),
          "",
          "compute the statistics on other data, or --exclude " + layer.module());
    }
    return algebra.loadShifted(gram.view(), 1, damping * mean);
  }

  /**
   * H, factorised.
   *
   * @param h of that layer
   * @throws UsageException when the damping leaves it singular
   */
  public InputRoot root(LinearAlgebra algebra, Matrix h, Layer layer) {
    try {
      return InputRoot.of(algebra, h);
    } catch (NotPositiveDefiniteException e) {
      throw singular(layer);
    }
  }

  /** A refusal of H, or a part of it, that cannot be factorised. */
  public UsageException singular(Layer layer) {
    return new UsageException(
        String.format(
            "--damping %s leaves %s of %s singular",
            damping, of(layer).view().name(), statistics.path()),
        "raise it");
  }
}
