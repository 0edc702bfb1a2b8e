package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.gpu.torch.ScriptFunctions;

/**
 * The entropy of points in ℝᵈ by the distances to their neighbours (Kozachenko and Leonenko 1987).
 * With r_i the Euclidean distance from point i of S to the k-th nearest of the others, k = 25, the
 * estimate is
 *
 * <pre>H = d · (1/S) Σᵢ log r_i + const(d, k, S)</pre>
 *
 * in nats. The constant is left out: it is the same before and behind a block. r_i counts at least
 * 10⁻⁶ of the root mean square distance of all points from their mean (10⁻³⁰ where that is 0), so
 * that points which are equal, as embeddings of one token are, do not make it infinite.
 *
 * <p>Distances are f64, ‖a − b‖² = ‖a‖² + ‖b‖² − 2aᵀb about the mean, whose rounding is far below
 * that floor.
 */
final class NeighbourEntropy {

  /** k. */
  static final int NEIGHBOURS = 25;

  private static final double FLOOR = 1e-6;

  private NeighbourEntropy() {}

  /**
   * @param points [S, d], f64, S above {@link #NEIGHBOURS}
   * @return d · mean log r, in nats
   */
  static double of(NDManager manager, ScriptFunctions functions, NDArray points) {
    try (NDManager temporary = manager.newSubManager()) {
      NDArray numbers = temporary.create(new double[] {NEIGHBOURS, FLOOR});
      NDArray mean = functions.call(temporary, "mean_log_distance", points, numbers);
      return points.getShape().get(1) * mean.toDoubleArray()[0];
    }
  }
}
