package dev.smelt.merge.mean;

import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.NotPositiveDefiniteException;
import dev.smelt.gpu.engine.Precision;
import dev.smelt.merge.method.MergeMethod.ChunkKernel;
import dev.smelt.merge.method.MergeMethod.Context;
import dev.smelt.merge.method.MergeMethod.Survey;
import dev.smelt.merge.method.Operands;
import java.util.stream.IntStream;

/**
 * The regression mean of one matrix, in f64. With r the first model that counts it is computed as
 *
 * <pre>  W* = W_r + (Σ λᵢ (Wᵢ − W_r) Âᵢ) (Σ λᵢ Âᵢ)⁻¹</pre>
 *
 * <p>so that equal models give that model bit for bit. Inputs that never were other than zero get
 * the weighted mean of the models, as the same multiple of I is in every Âᵢ.
 *
 * @param lambda λ, their sum 1
 * @param alpha what elements of a Gram matrix off its diagonal are multiplied by
 * @param damping what is added to the diagonal, in shares of its mean
 */
@SuppressWarnings("ArrayRecordComponent") // Never compared.
record RegressionMean(double[] lambda, double alpha, double damping, Context context)
    implements Survey {

  @Override
  public ChunkKernel kernel(Operands tensor) {
    int[] used = IntStream.range(0, lambda.length).filter(i -> lambda[i] != 0).toArray();
    if (used.length == 1) {
      return (chunk, merged) ->
          System.arraycopy(chunk.theta()[used[0]], 0, merged, 0, chunk.count());
    }
    double[] change = change(tensor, used);
    return (chunk, merged) -> {
      double[] theta = chunk.theta()[used[0]];
      int first = (int) chunk.first();
      for (int k = 0; k < chunk.count(); k++) {
        merged[k] = theta[k] + change[first + k];
      }
    };
  }

  /** W* − W_r, as it is stored. */
  private double[] change(Operands tensor, int[] used) {
    try (LinearAlgebra algebra = context.algebra()) {
      double shift = damping * meanOfDiagonal(tensor, used);
      Matrix root = root(algebra, tensor, used, shift);
      Matrix weighted = algebra.transpose(weighted(algebra, tensor, used, shift));
      Matrix solved = algebra.solveLowerTransposed(root, algebra.solveLower(root, weighted));
      return (tensor.transposed() ? solved : algebra.transpose(solved)).toDoubles();
    }
  }

  /** The Cholesky factor of Σ λᵢ Âᵢ, in×in. */
  private Matrix root(LinearAlgebra algebra, Operands tensor, int[] used, double shift) {
    try (LinearAlgebra inner = algebra.inner()) {
      return algebra.keep(inner.cholesky(sum(inner, tensor, used, shift)));
    } catch (NotPositiveDefiniteException e) {
      throw new UsageException(
          "the Gram matrices of " + tensor.output().name() + " cannot be inverted",
          "use a larger --damping than " + damping);
    }
  }

  private Matrix sum(LinearAlgebra algebra, Operands tensor, int[] used, double shift) {
    Matrix sum = gram(algebra, tensor, used[0], lambda[used[0]], shift);
    for (int i = 1; i < used.length; i++) {
      sum = algebra.subtract(sum, gram(algebra, tensor, used[i], -lambda[used[i]], shift));
    }
    return sum;
  }

  /** Âᵢ times a factor. */
  private Matrix gram(
      LinearAlgebra algebra, Operands tensor, int model, double factor, double shift) {
    return algebra.loadGram(tensor.grams().get(model).view(), factor, alpha, shift * factor);
  }

  /** Where no input ever was other than zero, any positive number does. */
  private double meanOfDiagonal(Operands tensor, int[] used) {
    double trace = 0;
    int n = Math.toIntExact(tensor.grams().getFirst().view().shape().size(0));
    double[] element = new double[1];
    for (int model : used) {
      TensorView view = tensor.grams().get(model).view();
      for (int i = 0; i < n; i++) {
        view.read((long) i * n + i, 1, element);
        trace += lambda[model] * element[0];
      }
    }
    return trace > 0 ? trace / n : 1;
  }

  /** Σ λᵢ (Wᵢ − W_r) Âᵢ, out×in. */
  private Matrix weighted(LinearAlgebra algebra, Operands tensor, int[] used, double shift) {
    Matrix first = matrix(algebra, tensor, used[0]);
    Matrix sum = algebra.subtract(first, first);
    for (int i = 1; i < used.length; i++) {
      try (LinearAlgebra inner = algebra.inner()) {
        Matrix change = inner.subtract(matrix(inner, tensor, used[i]), first);
        Matrix gram = gram(inner, tensor, used[i], lambda[used[i]], shift);
        sum = algebra.keep(inner.multiplyAdd(1, change, gram, 1, sum));
      }
    }
    return sum;
  }

  /** Wᵢ, out×in; a convolution [out, in, kh, kw] is the matrix [out, in·kh·kw]. */
  private static Matrix matrix(LinearAlgebra algebra, Operands tensor, int model) {
    TensorView view = tensor.theta().get(model).view();
    long rows = view.shape().size(0);
    return algebra.load(
        view.reshaped(Shape.of(rows, view.elements() / rows)), Precision.F64, tensor.transposed());
  }
}
