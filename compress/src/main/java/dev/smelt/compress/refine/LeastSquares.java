package dev.smelt.compress.refine;

import dev.smelt.compress.lowrank.Decomposer;
import dev.smelt.compress.lowrank.Decomposition;
import dev.smelt.compress.lowrank.Weight;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import java.util.Optional;

/**
 * Factors A (out×r) and B (r×in) of a layer W (out×in) whose inputs are no longer what they were.
 * With x the inputs that the layer had and x̃ those that it has now, all of them make
 *
 * <pre>  f(A, B) = E ‖L (W x − A B x̃)‖² + λ ‖L (W − A B)‖²</pre>
 *
 * <p>small, with LᵀL = G + μI. With Ã = E x̃x̃ᵀ + λI = RRᵀ and C = E x x̃ᵀ + λI, f is ‖L (M − A B)
 * R‖² but for a constant, where M = W C Ã⁻¹ is the best matrix of full rank; where x̃ = x, M = W.
 * So λ draws towards W, as noise of variance λ on x and x̃ alike would.
 *
 * <p>λ and μ are shares of the mean of the diagonals; where rounding has left a matrix not positive
 * definite, they are made ten times larger until it is.
 */
public final class LeastSquares {

  /** With λ as large as the mean of the diagonal, no matrix of finite sums fails. */
  private static final double MOST_DAMPING = 10;

  private final LinearAlgebra algebra;

  /** LᵀL and its root; none where L = I. */
  private final Optional<Damped> output;

  /** Ã. */
  private final Damped input;

  /** W C, out×in. */
  private final Matrix target;

  /**
   * H + λI.
   *
   * @param root its Cholesky factor
   * @param share λ over the mean of the diagonal of H
   */
  private record Damped(Matrix matrix, Matrix root, double share) {}

  /**
   * @param w W, out×in
   * @param inputGram E x̃x̃ᵀ, in×in row-major
   * @param cross E x x̃ᵀ, in×in row-major
   * @param outputGram G, out×out row-major; where there is none, or it is 0, L = I
   * @param damping the share of the mean of the diagonals that λ and μ are, positive
   */
  public LeastSquares(
      LinearAlgebra algebra,
      Matrix w,
      double[] inputGram,
      double[] cross,
      Optional<double[]> outputGram,
      double damping) {
    if (!(damping > 0)) {
      throw new IllegalArgumentException("damping of " + damping);
    }
    this.algebra = algebra;
    int in = w.cols();
    this.input = damped(in, inputGram, damping);
    double lambda = input.share() * mean(in, inputGram);
    this.target = algebra.multiply(w, algebra.matrix(in, in, plusDiagonal(in, cross, lambda)));
    this.output =
        outputGram.filter(g -> mean(w.rows(), g) > 0).map(g -> damped(w.rows(), g, damping));
  }

  /** The share of the mean of the diagonal that λ is. */
  public double damping() {
    return input.share();
  }

  private Damped damped(int n, double[] values, double wanted) {
    double mean = mean(n, values);
    // A layer whose inputs are all 0 has nothing to fit, and any factors do.
    double unit = mean > 0 ? mean : 1;
    for (double share = wanted; ; share *= 10) {
      Matrix matrix = algebra.matrix(n, n, plusDiagonal(n, values, share * unit));
      try {
        return new Damped(matrix, algebra.cholesky(matrix), share);
      } catch (NotPositiveDefiniteException e) {
        if (share > MOST_DAMPING) {
          throw e;
        }
      }
    }
  }

  private static double mean(int n, double[] matrix) {
    double trace = 0;
    for (int i = 0; i < n; i++) {
      trace += matrix[i * n + i];
    }
    return trace / n;
  }

  private static double[] plusDiagonal(int n, double[] matrix, double summand) {
    double[] sum = matrix.clone();
    for (int i = 0; i < n; i++) {
      sum[i * n + i] += summand;
    }
    return sum;
  }

  /** The best A for this B: W C Bᵀ (B Ã Bᵀ)⁻¹. It does not depend on L. */
  public Matrix left(Matrix b) {
    Matrix inner = algebra.multiply(algebra.multiply(b, input.matrix()), algebra.transpose(b));
    Matrix products = algebra.multiply(b, algebra.transpose(target));
    return algebra.transpose(algebra.solve(inner, products));
  }

  /** The best B for this A: (Aᵀ LᵀL A)⁻¹ Aᵀ LᵀL W C Ã⁻¹. */
  public Matrix right(Matrix a) {
    Matrix metric = output.map(g -> algebra.multiply(g.matrix(), a)).orElse(a);
    Matrix weighted = algebra.transpose(metric);
    Matrix inner = algebra.multiply(weighted, a);
    Matrix fitted = algebra.solve(inner, algebra.multiply(weighted, target));
    return timesInverse(fitted);
  }

  /**
   * The best pair: A B = L⁻¹ U_r S_r V_rᵀ R⁻¹ with L M R = U S Vᵀ (Eckart and Young).
   *
   * @param rank r, at most min(out, in)
   */
  public Decomposition best(int rank) {
    Weight left = output.<Weight>map(g -> new Weight.Cholesky(g.root())).orElse(Weight.NONE);
    Weighting weighting = new Weighting(left, new Weight.Cholesky(input.root()), 1);
    return new Decomposer(algebra).decompose(timesInverse(target), weighting, rank);
  }

  /** X Ã⁻¹, by the symmetry of Ã. */
  private Matrix timesInverse(Matrix x) {
    return algebra.transpose(algebra.solve(input.matrix(), algebra.transpose(x)));
  }
}
