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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products, norms, precisions and loading of every implementation. */
abstract class ArithmeticContract extends KernelContract {

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
    assertThat(algebra.diagonal(a)).containsExactly(1, 4);
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
  void loadsSquareMatricesShifted() {
    double[] values = random(70, 70, 65);
    double[] shifted = values.clone();
    for (int i = 0; i < shifted.length; i++) {
      shifted[i] = 0.5 * values[i] + (i / 70 == i % 70 ? 3 : 0);
    }
    TensorView view = view("g", DType.F64, 70, 70, values);
    assertThat(algebra.loadShifted(view, 0.5, 3).toDoubles()).isEqualTo(shifted);
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

  @Test
  void multipliesRoughlyToAFewDigits() {
    double[] a = random(30, 40, 66);
    double[] b = random(40, 20, 67);
    double[] exact = product(a, b, 30, 40, 20);
    Matrix left = algebra.convert(algebra.matrix(30, 40, a), Precision.F32);
    Matrix right = algebra.convert(algebra.matrix(40, 20, b), Precision.F32);
    assertClose(algebra.multiplyRoughly(left, right).toDoubles(), exact, 0.01 * norm(exact));
    double[] gram = product(a, transposed(a, 30, 40), 30, 40, 30);
    assertClose(algebra.gramRoughly(left).toDoubles(), gram, 0.01 * norm(gram));
    Matrix wide = algebra.multiplyRoughly(algebra.matrix(30, 40, a), algebra.matrix(40, 20, b));
    assertClose(wide.toDoubles(), exact, 1e-14 * norm(exact));
  }
}
