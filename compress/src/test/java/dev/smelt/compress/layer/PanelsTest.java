package dev.smelt.compress.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.Slice;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Precision;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers that are rows or columns of a stored matrix. */
class PanelsTest {

  private static final int OUT = 7;
  private static final int IN = 10;

  @TempDir private Path folder;

  private void withLayer(TestTensor tensor, boolean transposed, Consumer<Layer> check) {
    Path file = TestCheckpoints.file(folder.resolve("w.safetensors"), List.of(tensor));
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      TensorView view = checkpoint.tensor("m.weight");
      check.accept(new Layer(file, "m", view, transposed, Optional.empty()));
    }
  }

  /** As f32 has it. */
  private static double[][] rounded(double[][] w) {
    return Arrays.stream(w)
        .map(row -> Arrays.stream(row).map(value -> (float) value).toArray())
        .toArray(double[][]::new);
  }

  private static double[][] cut(double[][] w, int[] rows, int[] columns) {
    return Arrays.stream(rows)
        .mapToObj(i -> Arrays.stream(columns).mapToDouble(j -> w[i][j]).toArray())
        .toArray(double[][]::new);
  }

  private static int[] range(int first, int end) {
    return IntStream.range(first, end).toArray();
  }

  @ParameterizedTest
  @CsvSource({
    "OUTPUT, 3, false", "OUTPUT, 3, true", "OUTPUT, 6, true", "OUTPUT, 1, false",
    "INPUT, 4, false", "INPUT, 4, true", "INPUT, 5, false", "INPUT, 9, true"
  })
  void panelsAreTheMatrix(Axis axis, int width, boolean transposed) {
    double[][] w = rounded(Plain.random(OUT, IN, 3));
    TestTensor stored = Plain.tensor("m.weight", transposed ? Plain.transpose(w) : w);
    withLayer(
        stored,
        transposed,
        layer -> {
          List<Layer> panels = layer.panels(axis, width);
          int size = axis == Axis.OUTPUT ? OUT : IN;
          assertThat(panels).hasSize((size + width - 1) / width);
          for (int p = 0; p < panels.size(); p++) {
            Layer panel = panels.get(p);
            int[] indices = range(p * width, Math.min(size, (p + 1) * width));
            int[] rows = axis == Axis.OUTPUT ? indices : range(0, OUT);
            int[] columns = axis == Axis.INPUT ? indices : range(0, IN);
            assertThat(panel.module()).isEqualTo("m.p" + p);
            assertThat(panel.whole()).isEqualTo("m");
            assertThat(panel.outputs()).isEqualTo(rows);
            assertThat(panel.inputs()).isEqualTo(columns);
            assertThat(panel.out()).isEqualTo(rows.length);
            assertThat(panel.in()).isEqualTo(columns.length);
            assertThat(panel.storedOut()).isEqualTo(OUT);
            assertThat(panel.storedIn()).isEqualTo(IN);
            assertThat(panel.elements()).isEqualTo((long) rows.length * columns.length);
            assertThat(panel.shapeOfA(2)).isEqualTo(Shape.of(rows.length, 2));
            assertThat(panel.shapeOfB(2)).isEqualTo(Shape.of(2, columns.length));
            double[] flat = Plain.flatten(cut(w, rows, columns));
            assertThat(panel.toDoubles()).isEqualTo(flat);
            try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
              assertThat(panel.load(algebra, Precision.F64).toDoubles()).isEqualTo(flat);
            }
          }
        });
  }

  @ParameterizedTest
  @CsvSource({"OUTPUT, 7", "OUTPUT, 100", "INPUT, 10", "INPUT, 11"})
  void whatIsNarrowEnoughStaysWhole(Axis axis, int width) {
    withLayer(
        Plain.tensor("m.weight", Plain.random(OUT, IN, 4)),
        false,
        layer -> assertThat(layer.panels(axis, width)).containsExactly(layer));
  }

  @Test
  void columnsInGroups() {
    double[][] w = rounded(Plain.random(OUT, IN, 5));
    for (boolean transposed : new boolean[] {false, true}) {
      TestTensor stored = Plain.tensor("m.weight", transposed ? Plain.transpose(w) : w);
      FusedPart part = new FusedPart("q", new Slice(Axis.INPUT, 1, 2, 5, 2));
      withLayer(
          stored,
          transposed,
          layer -> {
            Layer some =
                new Layer(layer.checkpoint(), "m.q", layer.weight(), transposed, Optional.of(part));
            assertThat(some.inputs()).containsExactly(1, 2, 6, 7);
            assertThat(some.toDoubles())
                .isEqualTo(Plain.flatten(cut(w, range(0, OUT), some.inputs())));
          });
    }
  }

  @Test
  void onlyWholeMatricesAreCut() {
    withLayer(
        Plain.tensor("m.weight", Plain.random(OUT, IN, 6)),
        false,
        layer -> {
          Layer panel = layer.panels(Axis.INPUT, 6).getFirst();
          assertThat(panel.panels(Axis.INPUT, 6)).containsExactly(panel);
          for (Axis axis : Axis.values()) {
            assertThatThrownBy(() -> panel.panels(axis, 5))
                .isInstanceOf(UsageException.class)
                .hasMessageContainingAll("cannot cut m.p0", "a part of m", "5 " + axis);
          }
          assertThatThrownBy(() -> layer.panels(Axis.INPUT, 0))
              .isInstanceOf(IllegalArgumentException.class);
        });
    withLayer(
        TestTensors.random("m.weight", DType.F32, 7, 6, 4, 3, 3),
        false,
        layer -> {
          assertThat(layer.panels(Axis.INPUT, 36)).containsExactly(layer);
          assertThatThrownBy(() -> layer.panels(Axis.INPUT, 18))
              .isInstanceOf(UsageException.class)
              .hasMessageContainingAll("a convolution [6,4,3,3]", "--exclude m");
        });
  }

  /** A part looks at what is its own. */
  @Test
  void whatIsNotFiniteIsNamedByItsPlaceInTheTensor() {
    for (boolean transposed : new boolean[] {false, true}) {
      float[] values = new float[OUT * IN];
      int at = transposed ? 8 * OUT + 2 : 2 * IN + 8;
      values[at] = Float.NaN;
      Shape shape = transposed ? Shape.of(IN, OUT) : Shape.of(OUT, IN);
      withLayer(
          TestTensors.f32("m.weight", shape, values),
          transposed,
          layer -> {
            List<Layer> panels = new ArrayList<>(layer.panels(Axis.INPUT, 4));
            try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
              Layer bad = panels.remove(2);
              panels.forEach(panel -> assertThat(panel.load(algebra).toDoubles()).containsOnly(0));
              assertThatThrownBy(() -> bad.load(algebra))
                  .isInstanceOf(NonFiniteException.class)
                  .hasMessageContainingAll("m.weight", "at index " + at, "--exclude m.p2");
            }
          });
    }
  }
}
