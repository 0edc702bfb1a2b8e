package dev.smelt.compress.lowrank;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Factors against singular values by Jacobi rotations, and against other factors. */
class DecomposerTest {

  /** Of errors, relative to the norm of the matrix: what eigenvectors of a Gram matrix give. */
  private static final double TOLERANCE = 1e-10;

  /** Of σ², relative to σ₁². */
  private static final double ENERGY_TOLERANCE = 1e-13;

  private static final int COMPETITORS = 300;

  private static Stream<double[][]> matrices() {
    return Stream.of(
        Plain.random(5, 9, 1),
        Plain.random(9, 5, 2),
        Plain.random(7, 7, 3),
        Plain.random(1, 6, 4),
        Plain.random(6, 1, 5),
        Plain.random(1, 1, 6),
        Plain.random(40, 23, 7),
        Plain.ofRank(8, 6, 3, 8),
        Plain.ofRank(6, 8, 1, 9),
        Plain.decaying(12, 10, 0.3, 10));
  }

  @ParameterizedTest
  @MethodSource("matrices")
  void theErrorOfEveryRankIsTheTailOfTheSpectrum(double[][] w) {
    assertTails(w, Weighting.NONE);
  }

  @ParameterizedTest
  @MethodSource("matrices")
  void theWeightedErrorIsTheTailOfTheWeightedSpectrum(double[][] w) {
    double[] left = weights(w.length, 11);
    double[] right = weights(w[0].length, 12);
    assertTails(w, weighting(left, null));
    assertTails(w, weighting(null, right));
    assertTails(w, weighting(left, right));
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-300, 1e-160, 1e-38, 1e38, 1e160, 1e300})
  void neitherTinyNorHugeValuesMatter(double scale) {
    assertTails(Plain.scale(Plain.random(6, 4, 13), scale), Weighting.NONE);
    assertTails(Plain.scale(Plain.random(4, 6, 14), scale), Weighting.NONE);
  }

  @Test
  void largeBesideSmallIsResolved() {
    double[][] w = Plain.random(6, 6, 15);
    w[0][0] = 1e6;
    assertTails(w, Weighting.NONE);
  }

  @Test
  void aZeroMatrixHasZeroFactors() {
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Matrix zero = algebra.matrix(3, 4, new double[12]);
      Decomposition factors = new Decomposer(algebra).decompose(zero, Weighting.NONE, 2);
      assertThat(factors.spectrum().singularValues()).containsExactly(0, 0, 0);
      assertThat(algebra.multiply(factors.a(), factors.b()).toDoubles()).containsOnly(0);
      Certificate certificate =
          Certificate.of(algebra, zero, factors.a(), factors.b(), Weighting.NONE);
      assertThat(certificate).isEqualTo(new Certificate(0, 0));
    }
  }

  @Test
  void noOtherFactorsOfTheRankAreCloser() {
    double[][] w = Plain.random(10, 8, 16);
    double[] left = weights(10, 17);
    double[] right = weights(8, 18);
    double[][][] factors = factors(w, weighting(left, right), 3);
    double ours = weightedError(w, factors[0], factors[1], left, right);
    SplittableRandom random = new SplittableRandom(19);
    for (int i = 0; i < COMPETITORS; i++) {
      double distance = Math.pow(10, -6 * random.nextDouble());
      double[][] a = Plain.add(factors[0], distance, Plain.random(10, 3, 1000 + i));
      double[][] b = Plain.add(factors[1], distance, Plain.random(3, 8, 2000 + i));
      assertThat(weightedError(w, a, b, left, right)).isGreaterThan(ours);
      double[][] elsewhere =
          i % 2 == 0 ? Plain.random(10, 3, 3000 + i) : Plain.ofRank(10, 3, 2, 3000 + i);
      assertThat(weightedError(w, elsewhere, factors[1], left, right)).isGreaterThan(ours);
    }
  }

  @Test
  void bothFactorsAreOfOneScale() {
    double[][] w = Plain.scale(Plain.random(10, 8, 20), 1e-6);
    double[][][] factors = factors(w, weighting(weights(10, 21), null), 4);
    double[][] columns = Plain.transpose(factors[0]);
    for (int i = 0; i < 4; i++) {
      double norm = Plain.frobenius(new double[][] {columns[i]});
      assertThat(Plain.frobenius(new double[][] {factors[1][i]}))
          .isCloseTo(norm, within(TOLERANCE * norm));
    }
  }

  private static void assertTails(double[][] w, Weighting weighting) {
    double[] left = roots(weighting.left(), w.length);
    double[] right = roots(weighting.right(), w[0].length);
    double[][] t = Plain.scaleColumns(Plain.scaleRows(w, left), right);
    double[] spectrum = Plain.singularValues(t);
    double norm = Plain.frobenius(t);
    assertEnergy(w, weighting, spectrum);
    for (int rank = 1; rank <= spectrum.length; rank++) {
      double[][][] factors = factors(w, weighting, rank);
      assertThat(weightedError(w, factors[0], factors[1], left, right) / norm)
          .as("rank %d of %dx%d", rank, w.length, w[0].length)
          .isCloseTo(Plain.tail(spectrum, rank) / norm, within(TOLERANCE));
    }
  }

  private static void assertEnergy(double[][] w, Weighting weighting, double[] spectrum) {
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Spectrum found =
          new Decomposer(algebra).decompose(matrix(algebra, w), weighting, 1).spectrum();
      assertThat(found.size()).isEqualTo(spectrum.length);
      double norm = Plain.tail(spectrum, 0);
      assertThat(found.norm()).isCloseTo(norm, within(TOLERANCE * norm));
      for (int i = 0; i < spectrum.length; i++) {
        double proportion = spectrum[i] / norm;
        assertThat(found.share(i)).isCloseTo(proportion * proportion, within(ENERGY_TOLERANCE));
      }
    }
  }

  private static double[][][] factors(double[][] w, Weighting weighting, int rank) {
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Decomposition factors =
          new Decomposer(algebra).decompose(matrix(algebra, w), weighting, rank);
      assertThat(factors.a().rows()).isEqualTo(w.length);
      assertThat(factors.b().cols()).isEqualTo(w[0].length);
      return new double[][][] {
        Plain.rows(factors.a().toDoubles(), rank), Plain.rows(factors.b().toDoubles(), w[0].length)
      };
    }
  }

  private static double weightedError(
      double[][] w, double[][] a, double[][] b, double[] left, double[] right) {
    double[][] error = Plain.subtract(w, Plain.multiply(a, b));
    return Plain.frobenius(Plain.scaleColumns(Plain.scaleRows(error, left), right));
  }

  private static Matrix matrix(LinearAlgebra algebra, double[][] w) {
    return algebra.matrix(w.length, w[0].length, Plain.flatten(w));
  }

  private static Weighting weighting(double @Nullable [] left, double @Nullable [] right) {
    return new Weighting(weight(left), weight(right), 1);
  }

  private static Weight weight(double @Nullable [] roots) {
    return roots == null ? Weight.NONE : new Weight.Diagonal(roots);
  }

  private static double[] roots(Weight weight, int size) {
    return weight instanceof Weight.Diagonal diagonal ? diagonal.roots() : ones(size);
  }

  private static double[] ones(int size) {
    double[] ones = new double[size];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** Positive, over three orders of magnitude. */
  private static double[] weights(int size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] weights = new double[size];
    Arrays.setAll(weights, i -> Math.pow(10, 3 * random.nextDouble() - 1.5));
    return weights;
  }
}
