package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.FactoredTensor;
import dev.smelt.formats.model.FactoredTensor.Plain;
import dev.smelt.formats.model.FactoredTensor.Product;
import dev.smelt.formats.model.Slice;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.TestDevice;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DenseWeightsTest {

  /** Of f64 sums of a few products of numbers near 1, in another order. */
  private static final double TOLERANCE = 1e-14;

  private static final int OUT = 7;
  private static final int IN = 5;
  private static final int RANK = 3;

  private final Random random = new Random(5);
  private final float[] a = values(OUT * RANK);
  private final float[] b = values(RANK * IN);

  private float[] values(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static TensorView view(String name, float[] values, long... sizes) {
    TestTensor tensor = TestTensors.f32(name, Shape.of(sizes), values);
    return new TensorView(tensor.info(), MemorySegment.ofArray(tensor.bytes()));
  }

  private static FactoredTensor whole(TensorView a, TensorView b, boolean transposed) {
    int out = (int) a.shape().size(0);
    long in = b.shape().size(1);
    Shape shape = transposed ? Shape.of(in, out) : Shape.of(out, in);
    return new FactoredTensor(
        new TensorInfo("w", a.dtype(), shape),
        transposed,
        List.of(new Product(Slice.range(Axis.OUTPUT, 0, out), a, b)));
  }

  private double product(int i, int j) {
    double sum = 0;
    for (int k = 0; k < RANK; k++) {
      sum += (double) a[i * RANK + k] * b[k * IN + j];
    }
    return sum;
  }

  private double[] expected() {
    double[] w = new double[OUT * IN];
    for (int i = 0; i < w.length; i++) {
      w[i] = product(i / IN, i % IN);
    }
    return w;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 4, 5, 9, 10, 34, 35, 36, 1000})
  void readsBlocksOfRows(long block) {
    FactoredTensor tensor = whole(view("a", a, OUT, RANK), view("b", b, RANK, IN), false);
    double[] found = new double[OUT * IN];
    List<Long> firsts = new ArrayList<>();
    DenseWeights.read(
        tensor,
        TestDevice.get(),
        block,
        (first, values) -> {
          firsts.add(first);
          System.arraycopy(values, 0, found, (int) first, values.length);
        });
    assertThat(found).containsExactly(expected(), within(TOLERANCE));
    assertThat(firsts).isSorted();
    long rows = Math.clamp(block / IN, 1, OUT);
    assertThat(firsts).hasSize((int) ((OUT + rows - 1) / rows));
  }

  @Test
  void turnsWhatIsStoredTransposed() {
    FactoredTensor tensor = whole(view("a", a, OUT, RANK), view("b", b, RANK, IN), true);
    double[] found = DenseWeights.of(tensor, TestDevice.get());
    for (int i = 0; i < OUT; i++) {
      for (int j = 0; j < IN; j++) {
        assertThat(found[j * OUT + i]).isCloseTo(product(i, j), within(TOLERANCE));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 9, 10, 34, 35, 1000})
  void addsAProductToWhatItChanges(long block) {
    float[] base = values(OUT * IN);
    for (boolean transposed : new boolean[] {false, true}) {
      FactoredTensor product = whole(view("a", a, OUT, RANK), view("b", b, RANK, IN), transposed);
      TensorView stored = view("w", base, product.info().shape().sizes().toArray());
      FactoredTensor changed =
          new FactoredTensor(product.info(), transposed, Optional.of(stored), product.pieces());
      double[] expected = new double[OUT * IN];
      for (int i = 0; i < OUT; i++) {
        for (int j = 0; j < IN; j++) {
          int at = transposed ? j * OUT + i : i * IN + j;
          expected[at] = base[at] + product(i, j);
        }
      }
      double[] read = new double[OUT * IN];
      DenseWeights.read(
          changed,
          TestDevice.get(),
          block,
          (first, values) -> System.arraycopy(values, 0, read, (int) first, values.length));
      assertThat(read).containsExactly(expected, within(TOLERANCE));
      assertThat(DenseWeights.of(changed, TestDevice.get()))
          .containsExactly(expected, within(TOLERANCE));
    }
  }

  @Test
  void namesTheChangedMatrixThatIsNotFinite() {
    float[] base = values(OUT * IN);
    base[6] = Float.NaN;
    FactoredTensor product = whole(view("a", a, OUT, RANK), view("b", b, RANK, IN), false);
    FactoredTensor changed =
        new FactoredTensor(
            product.info(), false, Optional.of(view("w", base, OUT, IN)), product.pieces());
    assertThatThrownBy(() -> DenseWeights.of(changed, TestDevice.get()))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContainingAll("[w]", "index 6");
  }

  @Test
  void putsPartsWhereTheirRowsAre() {
    float[] plain = values(2 * IN);
    FactoredTensor tensor =
        new FactoredTensor(
            new TensorInfo("w", view("p", plain, 2, IN).dtype(), Shape.of(OUT + 2, IN)),
            false,
            List.of(
                new Plain(new Slice(Axis.OUTPUT, 1, 1, 7, 2), view("p", plain, 2, IN)),
                new Product(
                    Slice.range(Axis.OUTPUT, 0, 1),
                    view("a0", head(1), 1, RANK),
                    view("b", b, RANK, IN)),
                new Product(
                    new Slice(Axis.OUTPUT, 2, 6, 6, 1),
                    view("a1", tail(1), OUT - 1, RANK),
                    view("b", b, RANK, IN))));
    double[] found = DenseWeights.of(tensor, TestDevice.get());
    for (int j = 0; j < IN; j++) {
      assertThat(found[IN + j]).isEqualTo(plain[j]);
      assertThat(found[8 * IN + j]).isEqualTo(plain[IN + j]);
      assertThat(found[j]).isCloseTo(product(0, j), within(TOLERANCE));
      for (int i = 1; i < OUT; i++) {
        assertThat(found[(i + 1) * IN + j]).isCloseTo(product(i, j), within(TOLERANCE));
      }
    }
  }

  /** Columns 0 and 2 are plain, 1, 3 and 4 of one product and 5 of another with the same A. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void putsPartsWhereTheirColumnsAre(boolean transposed) {
    float[] plain = values(OUT * 2);
    float[] c = values(RANK);
    float[] d = values(RANK * 3);
    Shape shape = transposed ? Shape.of(6, OUT) : Shape.of(OUT, 6);
    TensorView basis = view("a", a, OUT, RANK);
    FactoredTensor tensor =
        new FactoredTensor(
            new TensorInfo("w", basis.dtype(), shape),
            transposed,
            List.of(
                new Product(Slice.range(Axis.INPUT, 5, 1), basis, view("c", c, RANK, 1)),
                new Plain(new Slice(Axis.INPUT, 0, 1, 2, 2), view("p", plain, OUT, 2)),
                new Product(Slice.range(Axis.INPUT, 1, 1), basis, view("d0", column(d), RANK, 1)),
                new Product(Slice.range(Axis.INPUT, 3, 2), basis, view("d1", rest(d), RANK, 2))));
    assertThat(tensor.out()).isEqualTo(OUT);
    assertThat(tensor.in()).isEqualTo(6);
    double[] found = DenseWeights.of(tensor, TestDevice.get());
    for (int i = 0; i < OUT; i++) {
      double[] row = new double[6];
      row[0] = plain[2 * i];
      row[2] = plain[2 * i + 1];
      for (int k = 0; k < RANK; k++) {
        double x = a[i * RANK + k];
        row[5] += x * c[k];
        row[1] += x * d[3 * k];
        row[3] += x * d[3 * k + 1];
        row[4] += x * d[3 * k + 2];
      }
      for (int j = 0; j < row.length; j++) {
        assertThat(found[transposed ? j * OUT + i : i * 6 + j])
            .isCloseTo(row[j], within(TOLERANCE));
      }
    }
  }

  /** The first of three columns. */
  private static float[] column(float[] d) {
    float[] first = new float[RANK];
    for (int k = 0; k < RANK; k++) {
      first[k] = d[3 * k];
    }
    return first;
  }

  /** The others. */
  private static float[] rest(float[] d) {
    float[] others = new float[2 * RANK];
    for (int k = 0; k < RANK; k++) {
      others[2 * k] = d[3 * k + 1];
      others[2 * k + 1] = d[3 * k + 2];
    }
    return others;
  }

  private float[] head(int rows) {
    return Arrays.copyOf(a, rows * RANK);
  }

  private float[] tail(int rows) {
    return Arrays.copyOfRange(a, rows * RANK, a.length);
  }

  @Test
  void namesTheFactorThatIsNotFinite() {
    b[4] = Float.POSITIVE_INFINITY;
    FactoredTensor tensor = whole(view("a", a, OUT, RANK), view("b", b, RANK, IN), false);
    assertThatThrownBy(() -> DenseWeights.of(tensor, TestDevice.get()))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContainingAll("[b]", "index 4");
    assertThatThrownBy(() -> DenseWeights.read(tensor, TestDevice.get(), (first, values) -> {}))
        .isInstanceOf(NonFiniteException.class);
  }

  @Test
  void refusesAWholeThatIsTooLarge() {
    int rows = 20_000;
    FactoredTensor tensor =
        whole(view("a", new float[rows], rows, 1), view("b", new float[rows], 1, rows), true);
    assertThatThrownBy(() -> DenseWeights.of(tensor, TestDevice.get()))
        .isInstanceOf(LimitException.class)
        .hasMessageContaining("400000000");
  }
}
