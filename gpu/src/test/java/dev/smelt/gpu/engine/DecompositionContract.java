package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Decompositions and systems of every implementation, checked by identities. */
abstract class DecompositionContract extends KernelContract {

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
    double[] alone = algebra.eigenvalues(algebra.matrix(m, m, expectedGram));
    assertClose(alone, eigen.values(), tolerance * norm);
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
    Matrix spd =
        algebra.multiplyAdd(1, a, algebra.transpose(a), 1, algebra.identity(20, Precision.F32));
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
    Matrix two = algebra.identity(2, Precision.F32);
    assertThatThrownBy(() -> algebra.chebyshev(two, two, 0, 1, rough))
        .hasMessage("chebyshev: edge 0.0, degree 1");
  }
}
