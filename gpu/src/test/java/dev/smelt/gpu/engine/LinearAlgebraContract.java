package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.FloatCodec;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What every implementation of linear algebra must do, checked by identities in plain Java. */
abstract class LinearAlgebraContract {

  /** Backward error of the decompositions, relative to the norm and per row of the matrix. */
  private static final double TOLERANCE = 1e-14;

  private LinearAlgebra algebra;

  abstract LinearAlgebra open();

  @BeforeEach
  void openAlgebra() {
    algebra = open();
  }

  @AfterEach
  void closeAlgebra() {
    algebra.close();
  }

  @ParameterizedTest
  @CsvSource({"1,1", "1,7", "7,1", "2,2", "16,16", "17,5", "5,17", "33,31", "64,40"})
  void decomposesEveryShape(int m, int n) {
    checkAll(random(m, n, 31L * m + n), m, n);
  }

  @ParameterizedTest
  @CsvSource({"12,9,3", "9,12,1", "20,20,7"})
  void decomposesMatricesOfLowRank(int m, int n, int rank) {
    double[] a = product(random(m, rank, 1), random(rank, n, 2), m, rank, n);
    checkAll(a, m, n);
    double[] s = algebra.svd(algebra.matrix(m, n, a)).s();
    assertThat(s[rank - 1]).isGreaterThan(1e-3 * s[0]);
    assertThat(s[rank]).isLessThan(m * TOLERANCE * s[0]);
  }

  @ParameterizedTest
  @CsvSource({"1e-140", "1e-100", "1e100", "1e140"})
  void decomposesTinyAndHugeValues(double scale) {
    double[] a = random(9, 6, 5);
    for (int i = 0; i < a.length; i++) {
      a[i] *= scale;
    }
    checkAll(a, 9, 6);
  }

  @Test
  void decomposesZero() {
    double[] zero = new double[4 * 3];
    checkAll(zero, 4, 3);
    assertThat(algebra.svd(algebra.matrix(4, 3, zero)).s()).containsOnly(0.0);
  }

  private void checkAll(double[] values, int m, int n) {
    Matrix a = algebra.matrix(m, n, values);
    double norm = norm(values);
    double tolerance = TOLERANCE * Math.max(m, n) * norm;
    int k = Math.min(m, n);

    Svd svd = algebra.svd(a);
    assertShape(svd.u(), m, k);
    assertShape(svd.vt(), k, n);
    assertFalling(svd.s());
    assertThat(svd.s()[k - 1]).isNotNegative();
    assertOrthonormal(svd.u().toDoubles(), m, k);
    assertOrthonormal(transposed(svd.vt().toDoubles(), k, n), n, k);
    assertClose(
        algebra.multiply(algebra.scaleColumns(svd.u(), svd.s()), svd.vt()).toDoubles(),
        values,
        tolerance);

    Qr qr = algebra.qr(a);
    assertShape(qr.q(), m, k);
    assertShape(qr.r(), k, n);
    assertOrthonormal(qr.q().toDoubles(), m, k);
    double[] r = qr.r().toDoubles();
    for (int i = 0; i < k; i++) {
      for (int j = 0; j < i; j++) {
        assertThat(r[i * n + j]).isZero();
      }
    }
    assertClose(product(qr.q().toDoubles(), r, m, k, n), values, tolerance);

    double[] gram = algebra.gram(a).toDoubles();
    double[] expectedGram = product(values, transposed(values, m, n), m, n, m);
    assertClose(gram, expectedGram, tolerance * norm);

    Eigen eigen = algebra.eigh(algebra.matrix(m, m, expectedGram));
    assertFalling(eigen.values());
    double[] v = eigen.vectors().toDoubles();
    assertOrthonormal(v, m, m);
    double[] vl = algebra.scaleColumns(eigen.vectors(), eigen.values()).toDoubles();
    assertClose(product(vl, transposed(v, m, m), m, m, m), expectedGram, 4 * tolerance * norm);

    assertThat(algebra.frobenius(a)).isCloseTo(norm, within(1e-14 * norm));
  }

  @ParameterizedTest
  @CsvSource({"1,1", "3,2", "16,16", "25,1"})
  void factorsAndSolvesPositiveDefiniteSystems(int n, int k) {
    double[] b = random(n, n, 77);
    double[] spd = product(b, transposed(b, n, n), n, n, n);
    for (int i = 0; i < n; i++) {
      spd[i * n + i] += 1;
    }
    double[] l = algebra.cholesky(algebra.matrix(n, n, spd)).toDoubles();
    for (int i = 0; i < n; i++) {
      assertThat(l[i * n + i]).isPositive();
      for (int j = i + 1; j < n; j++) {
        assertThat(l[i * n + j]).isZero();
      }
    }
    assertClose(product(l, transposed(l, n, n), n, n, n), spd, TOLERANCE * n * norm(spd));

    double[] right = random(n, k, 78);
    double[] x = algebra.solve(algebra.matrix(n, n, spd), algebra.matrix(n, k, right)).toDoubles();
    assertClose(product(spd, x, n, n, k), right, 1e-12 * norm(spd) * norm(x));

    Matrix lower = algebra.matrix(n, n, l);
    double[] y = algebra.solveLowerTransposed(lower, algebra.matrix(n, k, right)).toDoubles();
    assertClose(product(transposed(l, n, n), y, n, n, k), right, 1e-12 * norm(l) * norm(y));
  }

  @Test
  void solvesSystemsThatNeedPivoting() {
    Matrix a = algebra.matrix(2, 2, new double[] {0, 2, 4, 1});
    Matrix b = algebra.matrix(2, 1, new double[] {6, 11});
    assertThat(algebra.solve(a, b).toDoubles()).containsExactly(2, 3);
  }

  @Test
  void refusesSingularSystems() {
    Matrix a = algebra.matrix(2, 2, new double[] {1, 2, 2, 4});
    Matrix b = algebra.matrix(2, 1, new double[] {1, 1});
    assertThatThrownBy(() -> algebra.solve(a, b))
        .isInstanceOf(SingularMatrixException.class)
        .hasMessage("pivot 2 of 2 is zero");
  }

  @Test
  void refusesMatricesThatAreNotPositiveDefinite() {
    Matrix indefinite = algebra.matrix(3, 3, new double[] {4, 0, 0, 0, -1, 0, 0, 0, 1});
    assertThatThrownBy(() -> algebra.cholesky(indefinite))
        .isInstanceOfSatisfying(
            NotPositiveDefiniteException.class, e -> assertThat(e.order()).isEqualTo(2))
        .hasMessage("leading minor 2 of 3 is not positive definite");
  }

  @Test
  void readsOnlyTheLowerTriangleOfSymmetricMatrices() {
    Matrix a = algebra.matrix(2, 2, new double[] {2, 99, 1, 2});
    assertClose(algebra.eigh(a).values(), new double[] {3, 1}, 1e-14);
    double[] l = algebra.cholesky(a).toDoubles();
    assertClose(l, new double[] {Math.sqrt(2), 0, Math.sqrt(0.5), Math.sqrt(1.5)}, 1e-14);
  }

  @Test
  void movesAndScalesElements() {
    Matrix a = algebra.matrix(2, 3, new double[] {1, 2, 3, 4, 5, 6});
    assertThat(algebra.transpose(a).toDoubles()).containsExactly(1, 4, 2, 5, 3, 6);
    assertThat(algebra.leadingColumns(a, 2).toDoubles()).containsExactly(1, 2, 4, 5);
    assertThat(algebra.scaleRows(a, new double[] {2, -1}).toDoubles())
        .containsExactly(2, 4, 6, -4, -5, -6);
    assertThat(algebra.scaleColumns(a, new double[] {1, 0, 10}).toDoubles())
        .containsExactly(1, 0, 30, 4, 0, 60);
    assertThat(algebra.subtract(a, algebra.scaleRows(a, new double[] {1, 0})).toDoubles())
        .containsExactly(0, 0, 0, 4, 5, 6);
    assertClose(algebra.rowNorms(a), new double[] {Math.sqrt(14), Math.sqrt(77)}, 1e-14);
    assertThat(a.toDoubles()).containsExactly(1, 2, 3, 4, 5, 6);
  }

  @Test
  void widensAndRoundsFloats() {
    float[] values = {0.1f, -3.5f, Float.MIN_VALUE, Float.MAX_VALUE};
    Matrix a = algebra.matrix(2, 2, values);
    assertThat(a.toDoubles()).containsExactly(0.1f, -3.5f, Float.MIN_VALUE, Float.MAX_VALUE);
    assertThat(a.toFloats()).isEqualTo(values);
  }

  @Test
  void keepsNormsOfExtremeValuesInRange() {
    Matrix a = algebra.matrix(2, 2, new double[] {3e200, 4e200, 3e-200, 4e-200});
    assertClose(algebra.rowNorms(a), new double[] {5e200, 5e-200}, 1e186);
    assertThat(algebra.rowNorms(a)[1]).isCloseTo(5e-200, within(1e-214));
    assertThat(algebra.frobenius(a)).isCloseTo(5e200, within(1e186));
  }

  @Test
  void namesBothSizesThatDoNotFit() {
    Matrix a = algebra.matrix(2, 3, new double[6]);
    assertThatThrownBy(() -> algebra.multiply(a, a))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("multiply: columns of A against rows of B: 3 and 2");
    assertThatThrownBy(() -> algebra.subtract(a, algebra.transpose(a)))
        .hasMessage("subtract: rows of A against rows of B: 2 and 3");
    assertThatThrownBy(() -> algebra.eigh(a)).hasMessage("eigh: rows against columns: 2 and 3");
    assertThatThrownBy(() -> algebra.cholesky(a)).hasMessageContaining("2 and 3");
    assertThatThrownBy(() -> algebra.solve(a, a)).hasMessageContaining("2 and 3");
    assertThatThrownBy(() -> algebra.scaleRows(a, new double[3])).hasMessageContaining("2 and 3");
    assertThatThrownBy(() -> algebra.scaleColumns(a, new double[2]))
        .hasMessageContaining("3 and 2");
    assertThatThrownBy(() -> algebra.leadingColumns(a, 4))
        .hasMessage("leadingColumns: expected 1 to 3 columns, found 4");
    assertThatThrownBy(() -> algebra.leadingColumns(a, 0)).hasMessageContaining("found 0");
    assertThatThrownBy(() -> algebra.matrix(2, 2, new double[3]))
        .hasMessage("matrix: 2x2 needs 4 values, found 3");
    assertThatThrownBy(() -> algebra.matrix(0, 2, new double[0]))
        .hasMessage("matrix: 0x2 has no elements");
  }

  @Test
  void refusesValuesThatAreNotFinite() {
    assertThatThrownBy(() -> algebra.matrix(2, 2, new double[] {1, 2, Double.NaN, 4}))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining("row 1, column 0");
    assertThatThrownBy(() -> algebra.matrix(1, 2, new float[] {1, Float.POSITIVE_INFINITY}))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining("row 0, column 1");
  }

  @Test
  void multipliesAddsAndCuts() {
    Matrix a = algebra.matrix(2, 2, new double[] {1, 2, 3, 4});
    Matrix b = algebra.matrix(2, 3, new double[] {1, 0, 2, 0, 1, 1});
    Matrix c = algebra.matrix(2, 3, new double[] {1, 1, 1, 2, 2, 2});
    assertThat(algebra.multiplyAdd(2, a, b, -1, c).toDoubles()).containsExactly(1, 3, 7, 4, 6, 18);
    assertThat(algebra.rows(b, 1, 2).toDoubles()).containsExactly(0, 1, 1);
    assertThat(algebra.identity(2, Precision.F64).toDoubles()).containsExactly(1, 0, 0, 1);
    Matrix lower = algebra.matrix(2, 2, new double[] {2, 0, 3, 4});
    assertThat(algebra.multiplyLower(a, lower).toDoubles()).containsExactly(8, 8, 18, 16);
    assertThat(algebra.multiplyLowerTransposed(lower, a).toDoubles())
        .containsExactly(11, 16, 12, 16);
    Matrix solved = algebra.solveLower(lower, algebra.matrix(2, 1, new double[] {2, 11}));
    assertThat(solved.toDoubles()).containsExactly(1, 2);
  }

  /** Sizes around the blocks in which products by halves are computed. */
  @ParameterizedTest
  @CsvSource({"511,3", "512,5", "513,4", "3,2049", "1025,2"})
  void productsByBlocksAreThoseOfTheWhole(int m, int n) {
    double[] a = random(m, n, 60);
    Matrix x = algebra.matrix(m, n, a);
    double[] gram = product(a, transposed(a, m, n), m, n, m);
    assertClose(algebra.gram(x).toDoubles(), gram, 1e-14 * norm(gram));
    Matrix single = algebra.convert(x, Precision.F32);
    double[] rounded = single.toDoubles();
    double[] exact = product(rounded, transposed(rounded, m, n), m, n, m);
    assertClose(algebra.gram(single, Precision.F64).toDoubles(), exact, 1e-14 * norm(exact));
    assertClose(algebra.gram(single).toDoubles(), exact, 1e-6 * norm(exact));

    double[] lower = random(m, m, 61);
    for (int i = 0; i < m; i++) {
      Arrays.fill(lower, i * m + i + 1, (i + 1) * m, 0);
    }
    Matrix l = algebra.matrix(m, m, lower);
    double[] left = product(transposed(lower, m, m), a, m, m, n);
    assertClose(algebra.multiplyLowerTransposed(l, x).toDoubles(), left, 1e-14 * m * norm(left));
    double[] right = product(transposed(a, m, n), lower, n, m, m);
    assertClose(
        algebra.multiplyLower(algebra.transpose(x), l).toDoubles(), right, 1e-14 * m * norm(right));
  }

  @Test
  void worksInSinglePrecision() {
    double[] values = random(20, 14, 62);
    Matrix a = algebra.convert(algebra.matrix(20, 14, values), Precision.F32);
    assertThat(a.precision()).isEqualTo(Precision.F32);
    assertThat(algebra.convert(a, Precision.F32)).isSameAs(a);
    double[] rounded = a.toDoubles();
    assertThat(rounded[3]).isEqualTo((float) values[3]);
    assertThat(algebra.frobenius(a)).isCloseTo(norm(rounded), within(1e-14 * norm(rounded)));
    Svd svd = algebra.svd(a);
    assertThat(svd.u().precision()).isEqualTo(Precision.F32);
    assertClose(
        algebra.multiply(algebra.scaleColumns(svd.u(), svd.s()), svd.vt()).toDoubles(),
        rounded,
        1e-5);
    Matrix gram = algebra.gram(a);
    Eigen eigen = algebra.eigh(gram);
    assertThat(eigen.values()[0]).isCloseTo(svd.s()[0] * svd.s()[0], within(1e-4));
    Matrix spd = algebra.multiplyAdd(1, a, algebra.transpose(a), 1, identity(20));
    Matrix l = algebra.cholesky(spd);
    assertThat(l.precision()).isEqualTo(Precision.F32);
    Matrix x = algebra.solveLower(l, a);
    assertClose(algebra.multiply(l, x).toDoubles(), rounded, 1e-5);
    Qr qr = algebra.qr(a);
    assertClose(algebra.multiply(qr.q(), qr.r()).toDoubles(), rounded, 1e-5);
    Matrix wide = algebra.convert(a, Precision.F64);
    assertThat(wide.toDoubles()).isEqualTo(rounded);
    assertThat(a.toFloats()[5]).isEqualTo((float) rounded[5]);
  }

  private Matrix identity(int n) {
    return algebra.identity(n, Precision.F32);
  }

  @Test
  void keepsTheRangeOfSinglePrecisionInNorms() {
    Matrix tiny = algebra.matrix(1, 2, new float[] {3e-38f, 4e-38f});
    Matrix huge = algebra.matrix(1, 2, new float[] {1.5e38f, 2e38f});
    assertThat(algebra.frobenius(algebra.convert(tiny, Precision.F32)))
        .isCloseTo(5e-38, within(1e-44));
    assertThat(algebra.frobenius(algebra.convert(huge, Precision.F32)))
        .isCloseTo(2.5e38, within(1e32));
  }

  @Test
  void refusesOperandsOfDifferentPrecision() {
    Matrix a = algebra.identity(2, Precision.F64);
    Matrix b = algebra.identity(2, Precision.F32);
    assertThatThrownBy(() -> algebra.multiply(a, b))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("multiply: precisions F64 and F32");
    assertThatThrownBy(() -> algebra.subtract(b, a)).hasMessageContaining("F32 and F64");
    assertThatThrownBy(() -> algebra.solveLower(a, b)).hasMessageContaining("F64 and F32");
    assertThatThrownBy(() -> algebra.multiplyAdd(1, a, a, 1, b)).hasMessageContaining("F32");
    assertThatThrownBy(() -> algebra.rows(a, 1, 3))
        .hasMessage("rows: expected a range in 0 to 2, found 1 to 3");
  }

  @Test
  void loadsStoredMatricesInEitherPrecision() {
    double[] values = random(300, 200, 63);
    TensorView view = view("w", DType.F64, 300, 200, values);
    assertThat(algebra.load(view, Precision.F64, false).toDoubles()).isEqualTo(values);
    assertThat(algebra.load(view, Precision.F64, true).toDoubles())
        .isEqualTo(transposed(values, 300, 200));
    Matrix single = algebra.load(view, Precision.F32, false);
    assertThat(single.precision()).isEqualTo(Precision.F32);
    assertThat(single.toDoubles()[777]).isEqualTo((float) values[777]);
  }

  @Test
  void loadsMatricesThatTakeSeveralChunks() {
    double[] values = new double[2049 * 2051];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % 251 - 125;
    }
    TensorView view = view("w", DType.BF16, 2049, 2051, values);
    assertThat(algebra.load(view, Precision.F32, false).toDoubles()).isEqualTo(values);
    assertThat(algebra.load(view, Precision.F64, false).toDoubles()).isEqualTo(values);
  }

  @Test
  void namesTheStoredValueThatIsNotFinite() {
    double[] values = random(4, 5, 64);
    values[2 * 5 + 3] = Double.NaN;
    TensorView view = view("layer.weight", DType.F32, 4, 5, values);
    for (Precision precision : Precision.values()) {
      assertThatThrownBy(() -> algebra.load(view, precision, true))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining("layer.weight, row 2, column 3");
    }
  }

  private static TensorView view(String name, DType dtype, int rows, int cols, double[] values) {
    TensorInfo info = new TensorInfo(name, dtype, Shape.of(rows, cols));
    MemorySegment bytes = MemorySegment.ofArray(new byte[(int) info.bytes()]);
    FloatCodec.of(dtype).orElseThrow().encode(values, values.length, bytes, 0);
    return new TensorView(info, bytes);
  }

  @Test
  void keepsWhatIsHandedOverFromAnInnerWorkspace() {
    Matrix a = algebra.matrix(1, 2, new double[] {1, 2});
    Matrix kept;
    try (LinearAlgebra inner = algebra.inner()) {
      Matrix doubled = inner.scaleRows(a, new double[] {2});
      kept = algebra.keep(inner.subtract(doubled, inner.matrix(1, 2, new double[] {1, 1})));
    }
    assertThat(kept.toDoubles()).containsExactly(1, 3);
    assertThat(algebra.scaleRows(kept, new double[] {10}).toDoubles()).containsExactly(10, 30);
  }

  @Test
  void drawsTheSameSignsForTheSameSeed() {
    double[] signs = algebra.signs(70, 30, 5, Precision.F32).toDoubles();
    assertThat(signs).isEqualTo(algebra.signs(70, 30, 5, Precision.F64).toDoubles());
    assertThat(signs).isNotEqualTo(algebra.signs(70, 30, 6, Precision.F64).toDoubles());
    double sum = 0;
    for (double sign : signs) {
      assertThat(Math.abs(sign)).isEqualTo(1);
      sum += sign;
    }
    assertThat(Math.abs(sum)).isLessThan(4 * Math.sqrt(70 * 30));
  }

  /** On diagonal matrices the polynomial can be read off; T₃(x) = 4x³ − 3x. */
  @ParameterizedTest
  @CsvSource({"false,1e-6", "true,0.05"})
  void filtersByChebyshevPolynomials(boolean rough, double tolerance) {
    double[] eigenvalues = {0, 0.5, 1, 1.5, 2};
    double[] v = random(5, 3, 65);
    for (Precision precision : Precision.values()) {
      Matrix g = algebra.scaleRows(algebra.identity(5, precision), eigenvalues);
      Matrix x = algebra.convert(algebra.matrix(5, 3, v), precision);
      for (int degree = 1; degree <= 3; degree++) {
        double[] found = algebra.chebyshev(g, x, 1, degree, rough).toDoubles();
        for (int i = 0; i < found.length; i++) {
          double t = 2 * eigenvalues[i / 3] - 1;
          double polynomial = degree == 1 ? t : degree == 2 ? 2 * t * t - 1 : t * (4 * t * t - 3);
          assertThat(found[i])
              .isCloseTo(polynomial * v[i], within(tolerance * Math.max(1, Math.abs(polynomial))));
        }
      }
    }
    assertThatThrownBy(() -> algebra.chebyshev(identity(2), identity(2), 0, 1, rough))
        .hasMessage("chebyshev: edge 0.0, degree 1");
  }

  @Test
  void multipliesRoughlyToAFewDigits() {
    double[] a = random(30, 40, 66);
    double[] b = random(40, 20, 67);
    double[] exact = product(a, b, 30, 40, 20);
    Matrix left = algebra.convert(algebra.matrix(30, 40, a), Precision.F32);
    Matrix right = algebra.convert(algebra.matrix(40, 20, b), Precision.F32);
    assertClose(algebra.multiplyRoughly(left, right).toDoubles(), exact, 0.01 * norm(exact));
    Matrix wide = algebra.multiplyRoughly(algebra.matrix(30, 40, a), algebra.matrix(40, 20, b));
    assertClose(wide.toDoubles(), exact, 1e-14 * norm(exact));
  }

  private static void assertShape(Matrix matrix, int rows, int cols) {
    assertThat(matrix.rows()).isEqualTo(rows);
    assertThat(matrix.cols()).isEqualTo(cols);
  }

  private static void assertFalling(double[] values) {
    for (int i = 1; i < values.length; i++) {
      assertThat(values[i]).isLessThanOrEqualTo(values[i - 1]);
    }
  }

  private static void assertOrthonormal(double[] q, int m, int k) {
    double[] identity = product(transposed(q, m, k), q, k, m, k);
    for (int i = 0; i < k; i++) {
      identity[i * k + i] -= 1;
    }
    assertThat(norm(identity)).isLessThan(TOLERANCE * m * 4);
  }

  private static void assertClose(double[] found, double[] expected, double tolerance) {
    assertThat(found).hasSameSizeAs(expected);
    double[] difference = new double[found.length];
    for (int i = 0; i < found.length; i++) {
      difference[i] = found[i] - expected[i];
    }
    assertThat(norm(difference)).isLessThanOrEqualTo(tolerance);
  }

  static double[] random(int m, int n, long seed) {
    return new Random(seed).doubles((long) m * n, -1, 1).toArray();
  }

  private static double[] product(double[] a, double[] b, int m, int k, int n) {
    double[] c = new double[m * n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        for (int l = 0; l < k; l++) {
          c[i * n + j] += a[i * k + l] * b[l * n + j];
        }
      }
    }
    return c;
  }

  private static double[] transposed(double[] a, int m, int n) {
    double[] t = new double[a.length];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        t[j * m + i] = a[i * n + j];
      }
    }
    return t;
  }

  private static double norm(double[] values) {
    double norm = 0;
    for (double value : values) {
      norm = Math.hypot(norm, value);
    }
    return norm;
  }
}
