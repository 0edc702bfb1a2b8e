package dev.smelt.compress.refine;

import dev.smelt.gpu.engine.Eigen;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import java.util.Optional;
import java.util.function.DoubleBinaryOperator;

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

  /** With λ as large as the mean of the diagonal, no matrix of finite sums fails but for NaN. */
  private static final double MOST_DAMPING = 10;

  private final LinearAlgebra algebra;
  private final Optional<Matrix> left;
  private final Matrix gram;
  private final Matrix root;

  /** W C, out×in. */
  private final Matrix target;

  private final double damping;

  /** A square matrix and its Cholesky factor. */
  private record Damped(Matrix matrix, Matrix root, double damping) {}

  /**
   * A pair of factors.
   *
   * @param a out×r
   * @param b r×in
   * @param relativeError ‖L (M − A B) R‖ / ‖L M R‖
   */
  public record Factors(Matrix a, Matrix b, double relativeError) {}

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
    Damped input = damped(in, inputGram, damping);
    this.gram = input.matrix();
    this.root = input.root();
    this.damping = input.damping();
    double lambda = this.damping * mean(in, inputGram);
    this.target = algebra.multiply(w, algebra.matrix(in, in, plusDiagonal(in, cross, lambda)));
    this.left =
        outputGram
            .filter(g -> mean(w.rows(), g) > 0)
            .map(g -> algebra.transpose(damped(w.rows(), g, damping).root()));
  }

  /** The share of the mean of the diagonal that λ is. */
  public double damping() {
    return damping;
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
    Matrix inner = algebra.multiply(algebra.multiply(b, gram), algebra.transpose(b));
    Matrix products = algebra.multiply(b, algebra.transpose(target));
    return algebra.transpose(algebra.solve(inner, products));
  }

  /** The best B for this A: (Aᵀ LᵀL A)⁻¹ Aᵀ LᵀL W C Ã⁻¹. */
  public Matrix right(Matrix a) {
    Matrix la = left.map(l -> algebra.multiply(l, a)).orElse(a);
    Matrix lt = left.map(l -> algebra.multiply(l, target)).orElse(target);
    Matrix inner = algebra.multiply(algebra.transpose(la), la);
    Matrix fitted = algebra.solve(inner, algebra.multiply(algebra.transpose(la), lt));
    return algebra.transpose(algebra.solve(gram, algebra.transpose(fitted)));
  }

  /**
   * The best pair: with T = L M R = L W C R⁻ᵀ = U S Vᵀ, A B = L⁻¹ U_r S_r V_rᵀ R⁻¹ (Eckart and
   * Young). The directions come from the eigenvectors of the smaller Gram matrix of T. Every column
   * of A has the norm of its row of B.
   *
   * @param rank r, at most min(out, in)
   */
  public Factors best(int rank) {
    Matrix mr = algebra.transpose(algebra.solve(root, algebra.transpose(target)));
    Matrix t = left.map(l -> algebra.multiply(l, mr)).orElse(mr);
    boolean wide = t.rows() <= t.cols();
    Eigen eigen = algebra.eigh(algebra.gram(wide ? t : algebra.transpose(t)));
    Matrix basis = algebra.leadingColumns(eigen.vectors(), rank);
    Matrix weightedA = wide ? basis : algebra.multiply(t, basis);
    Matrix weightedB =
        wide ? algebra.multiply(algebra.transpose(basis), t) : algebra.transpose(basis);
    Matrix a = left.map(l -> algebra.solve(l, weightedA)).orElse(weightedA);
    Matrix b =
        algebra.transpose(algebra.solve(algebra.transpose(root), algebra.transpose(weightedB)));
    double[] norms = algebra.rowNorms(algebra.transpose(a));
    double[] others = algebra.rowNorms(b);
    return new Factors(
        algebra.scaleColumns(a, balance(norms, others, (x, y) -> Math.sqrt(y / x))),
        algebra.scaleRows(b, balance(norms, others, (x, y) -> Math.sqrt(x / y))),
        tail(eigen.values(), rank));
  }

  /** 1 for directions that carry nothing. */
  private static double[] balance(double[] a, double[] b, DoubleBinaryOperator ratio) {
    double[] balance = new double[a.length];
    for (int i = 0; i < balance.length; i++) {
      balance[i] = a[i] > 0 && b[i] > 0 ? ratio.applyAsDouble(a[i], b[i]) : 1;
    }
    return balance;
  }

  /** √(Σ_{k>r} λ_k / Σ λ_k); rounding can leave eigenvalues of a Gram matrix below zero. */
  private static double tail(double[] eigenvalues, int rank) {
    double all = 0;
    double tail = 0;
    for (int k = 0; k < eigenvalues.length; k++) {
      double energy = Math.max(0, eigenvalues[k]);
      all += energy;
      tail += k < rank ? 0 : energy;
    }
    return all > 0 ? Math.sqrt(tail / all) : 0;
  }
}
