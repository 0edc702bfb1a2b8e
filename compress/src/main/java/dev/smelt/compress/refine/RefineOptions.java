package dev.smelt.compress.refine;

import dev.smelt.formats.UsageException;

/**
 * @param damping λ and μ of {@link LeastSquares}, as shares of the mean of the diagonals
 * @param batch examples at a time; changes memory and speed, and results only in their last digits
 */
public record RefineOptions(double damping, int batch) {

  /** What has served best on small language models. */
  public static final RefineOptions DEFAULT = new RefineOptions(1e-3, 8);

  public RefineOptions {
    if (!(damping > 0 && damping <= 1)) {
      throw new UsageException(
          "cannot refine with a damping of " + damping, "use more than 0 and at most 1");
    }
    if (batch < 1) {
      throw new UsageException("cannot refine with a batch of " + batch, "use 1 or more");
    }
  }
}
