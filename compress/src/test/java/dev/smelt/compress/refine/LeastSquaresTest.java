package dev.smelt.compress.refine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.lowrank.Decomposition;
import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Against the objective itself, summed over samples of inputs: (1/N) Σ ‖L (W x − A B x̃)‖² + λ ‖L
 * (W − A B)‖², LᵀL = G + μI, which is never formed by the code under test.
 */
class LeastSquaresTest {

  private static final int SAMPLES = 40;
  private static final double DAMPING = 1e-3;

  /** Of f64 solves with matrices of condition below 1e5, relative. */
  private static final double TOLERANCE = 1e-9;

  /** A layer with random inputs x, random x̃ near them, and random gradients. */
  @SuppressWarnings("ArrayRecordComponent") // compared by no one
  private record Problem(double[][] w, double[][] x, double[][] changed, double[][] deltas) {

    static Problem of(int out, int in, double change) {
      double[][] x = Plain.multiply(Plain.random(SAMPLES, in, 1), Plain.random(in, in, 2));
      double[][] noise = Plain.multiply(Plain.random(SAMPLES, in, 3), Plain.random(in, in, 4));
      return new Problem(
          Plain.random(out, in, 5), x, Plain.add(x, change, noise), Plain.random(2 * out, out, 6));
    }

    double[][] gram() {
      return mean(changed, changed);
    }

    double[][] cross() {
      return mean(x, changed);
    }

    double[][] outputGram() {
      return mean(deltas, deltas);
    }

    private static double[][] mean(double[][] left, double[][] right) {
      double[][] sums = Plain.multiply(Plain.transpose(left), right);
      return Plain.add(sums, 1.0 / left.length - 1, sums);
    }

    /** f(A B). */
    double objective(double[][] product, boolean weighted) {
      double[][] outputs = Plain.multiply(x, Plain.transpose(w));
      double[][] found = Plain.multiply(changed, Plain.transpose(product));
      double lambda = DAMPING * trace(gram()) / w[0].length;
      return energy(Plain.add(outputs, -1, found), weighted) / x.length
          + lambda * energy(Plain.transpose(Plain.add(w, -1, product)), weighted);
    }

    /** Σ over rows e of eᵀ (G + μI) e. */
    private double energy(double[][] errors, boolean weighted) {
      double[][] g = outputGram();
      double mu = DAMPING * trace(g) / g.length;
      double sum = 0;
      for (double[] e : errors) {
        for (int i = 0; i < e.length; i++) {
          for (int j = 0; j < e.length; j++) {
            double metric = weighted ? g[i][j] + (i == j ? mu : 0) : i == j ? 1 : 0;
            sum += e[i] * metric * e[j];
          }
        }
      }
      return sum;
    }

    LeastSquares squares(LinearAlgebra algebra, boolean weighted) {
      return new LeastSquares(
          algebra,
          matrix(algebra, w),
          flat(gram()),
          flat(cross()),
          weighted ? Optional.of(flat(outputGram())) : Optional.empty(),
          DAMPING);
    }
  }

  private static double trace(double[][] matrix) {
    double trace = 0;
    for (int i = 0; i < matrix.length; i++) {
      trace += matrix[i][i];
    }
    return trace;
  }

  private static double[] flat(double[][] rows) {
    return Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
  }

  private static Matrix matrix(LinearAlgebra algebra, double[][] rows) {
    return algebra.matrix(rows.length, rows[0].length, flat(rows));
  }

  private static double[][] rows(Matrix matrix) {
    double[] values = matrix.toDoubles();
    double[][] rows = new double[matrix.rows()][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = Arrays.copyOfRange(values, i * matrix.cols(), (i + 1) * matrix.cols());
    }
    return rows;
  }

  private static double[][] nudged(double[][] a, double size, RandomGenerator random) {
    return Plain.add(a, size, Plain.random(a.length, a[0].length, random.nextLong()));
  }

  @ParameterizedTest
  @CsvSource({"5, 8, 3, true", "5, 8, 3, false", "9, 4, 2, true", "6, 6, 1, true", "3, 7, 3, true"})
  void noFactorsNearOrFarAreBetter(int out, int in, int rank, boolean weighted) {
    Problem problem = Problem.of(out, in, 0.5);
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Decomposition best = problem.squares(algebra, weighted).best(rank);
      double[][] a = rows(best.a());
      double[][] b = rows(best.b());
      double least = problem.objective(Plain.multiply(a, b), weighted);
      RandomGenerator random = new SplittableRandom(11);
      for (int i = 0; i < 400; i++) {
        double size = Math.pow(10, -4 * random.nextDouble());
        double[][] product = Plain.multiply(nudged(a, size, random), nudged(b, size, random));
        assertThat(problem.objective(product, weighted)).isGreaterThanOrEqualTo(least);
      }
    }
  }

  /** Alternating least squares from random factors goes down to the same place. */
  @ParameterizedTest
  @CsvSource({"5, 8, 3, true", "9, 4, 2, true", "7, 7, 2, false"})
  void takingTurnsComesToTheBestPair(int out, int in, int rank, boolean weighted) {
    Problem problem = Problem.of(out, in, 0.5);
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      LeastSquares squares = problem.squares(algebra, weighted);
      Matrix b = matrix(algebra, Plain.random(rank, in, 12));
      Matrix a = squares.left(b);
      double before = problem.objective(Plain.multiply(rows(a), rows(b)), weighted);
      for (int turn = 0; turn < 300; turn++) {
        b = squares.right(a);
        a = squares.left(b);
        double after = problem.objective(Plain.multiply(rows(a), rows(b)), weighted);
        assertThat(after).isLessThanOrEqualTo(before * (1 + TOLERANCE));
        before = after;
      }
      Decomposition best = squares.best(rank);
      double least = problem.objective(Plain.multiply(rows(best.a()), rows(best.b())), weighted);
      assertThat(before).isCloseTo(least, within(1e-6 * least));
    }
  }

  @Test
  void residualsAreOrthogonalToWhatIsFixed() {
    Problem problem = Problem.of(6, 8, 0.4);
    int rank = 3;
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      LeastSquares squares = problem.squares(algebra, true);
      double[][] b = Plain.random(rank, 8, 13);
      double[][] a = rows(squares.left(matrix(algebra, b)));
      // ∂f/∂A = 0: L(W C − A B Ã) Bᵀ = 0, and L is invertible.
      double[][] slope = Plain.multiply(residual(problem, a, b), Plain.transpose(b));
      assertThat(largest(slope)).isLessThan(TOLERANCE * largest(problem.gram()));
      double[][] other = Plain.random(6, rank, 14);
      double[][] fitted = rows(squares.right(matrix(algebra, other)));
      double[][] metric = damped(problem.outputGram());
      slope =
          Plain.multiply(
              Plain.multiply(Plain.transpose(other), metric), residual(problem, other, fitted));
      assertThat(largest(slope)).isLessThan(TOLERANCE * largest(problem.gram()));
    }
  }

  private static double[][] damped(double[][] gram) {
    double[][] sum = Plain.add(gram, 0, gram);
    for (int i = 0; i < gram.length; i++) {
      sum[i][i] += DAMPING * trace(gram) / gram.length;
    }
    return sum;
  }

  /** W (C + λI) − A B (Ã + λI). */
  private static double[][] residual(Problem problem, double[][] a, double[][] b) {
    double[][] cross = Plain.add(problem.cross(), 0, problem.cross());
    for (int i = 0; i < cross.length; i++) {
      cross[i][i] += DAMPING * trace(problem.gram()) / cross.length;
    }
    return Plain.add(
        Plain.multiply(problem.w(), cross),
        -1,
        Plain.multiply(Plain.multiply(a, b), damped(problem.gram())));
  }

  private static double largest(double[][] matrix) {
    return Arrays.stream(matrix).flatMapToDouble(Arrays::stream).map(Math::abs).max().orElseThrow();
  }

  @Test
  void givesBackAMatrixOfFullRankWhoseInputsHaveNotChanged() {
    for (int[] size : new int[][] {{5, 8}, {8, 5}}) {
      Problem problem = Problem.of(size[0], size[1], 0);
      try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
        Decomposition best = problem.squares(algebra, true).best(5);
        double[][] product = Plain.multiply(rows(best.a()), rows(best.b()));
        assertThat(largest(Plain.add(product, -1, problem.w()))).isLessThan(1e-8);
        assertThat(Math.sqrt(best.spectrum().tails()[5])).isLessThan(1e-7);
      }
    }
  }

  @Test
  void columnsHaveTheNormsOfTheirRows() {
    Problem problem = Problem.of(6, 8, 0.3);
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Decomposition best = problem.squares(algebra, true).best(4);
      assertThat(algebra.rowNorms(algebra.transpose(best.a())))
          .containsExactly(algebra.rowNorms(best.b()), within(1e-9));
    }
  }

  @Test
  void dampsMoreWhereInputsLieInASubspace() {
    double[][] x = Plain.multiply(Plain.random(4, 2, 1), Plain.random(2, 6, 2));
    double[] gram = flat(Plain.multiply(Plain.transpose(x), x));
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Matrix w = matrix(algebra, Plain.random(5, 6, 3));
      LeastSquares squares = new LeastSquares(algebra, w, gram, gram, Optional.empty(), 1e-18);
      assertThat(squares.damping()).isGreaterThan(1e-18).isLessThan(1e-10);
      Decomposition best = squares.best(2);
      double[][] errors =
          Plain.multiply(
              Plain.add(rows(w), -1, Plain.multiply(rows(best.a()), rows(best.b()))),
              Plain.transpose(x));
      assertThat(largest(errors)).isLessThan(1e-4);
    }
  }

  @Test
  void takesLayersThatSeeNothing() {
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Matrix w = matrix(algebra, Plain.random(3, 4, 1));
      double[] zeros = new double[16];
      LeastSquares squares =
          new LeastSquares(algebra, w, zeros, zeros, Optional.of(new double[9]), DAMPING);
      assertThat(squares.best(2).a().toDoubles()).doesNotContain(Double.NaN);
      assertThatThrownBy(() -> new LeastSquares(algebra, w, zeros, zeros, Optional.empty(), 0))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
