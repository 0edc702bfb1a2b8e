package dev.smelt.compress.factorize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.expand.DenseModel;
import dev.smelt.compress.expand.DenseTensor;
import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A model of matrices in panels that share bases, written and read again: m in panels of 4 columns
 * and t, stored transposed, in panels of 4 with one A, and r in panels of 4 rows with one B.
 */
class PanelsTest {

  private static final int OUT = 6;
  private static final int RANK = 2;

  @TempDir private Path folder;

  private final double[][] m = Plain.random(OUT, 10, 1);
  private final double[][] t = Plain.random(OUT, 8, 2);
  private final double[][] r = Plain.random(7, 5, 3);
  private final double[][] a = Plain.random(OUT, RANK, 4);
  private final double[][] b = Plain.random(RANK, 5, 5);

  /** What each part becomes, in order: m.p0, m.p1, t.p0, t.p1, r.p0, r.p1. */
  private final Map<String, double[][]> own = new LinkedHashMap<>();

  private Path original = Path.of("");
  private Path written = Path.of("");

  @BeforeEach
  void write() {
    original =
        TestCheckpoints.folder(
            folder.resolve("in"),
            "{}",
            List.of(
                Plain.tensor("m.weight", m),
                TestTensors.f32("m.bias", Shape.of(OUT), new float[OUT]),
                Plain.tensor("r.weight", r),
                Plain.tensor("t.weight", Plain.transpose(t))));
    written = folder.resolve("out");
    try (Checkpoint dense = Checkpoint.open(original);
        Scratch scratch = Storage.local().scratch(written)) {
      StoredTensors stored = new StoredTensors(scratch, written, Optional.empty());
      SequencedMap<String, LayerState> states = new LinkedHashMap<>();
      TensorView ofA = stored.of(new Basis(0).name(), DType.F32, Shape.of(OUT, RANK), flat(a));
      TensorView ofB = stored.of(new Basis(1).name(), DType.F32, Shape.of(RANK, 5), flat(b));
      for (Layer panel : layer(dense, "m", false).panels(Axis.INPUT, 4)) {
        // The last one, of 2 columns, stays dense.
        if (panel.in() == 2) {
          states.put(panel.module(), new LayerState.Dense(panel, "small"));
        } else {
          states.put(panel.module(), withA(panel, ofA, stored));
        }
      }
      for (Layer panel : layer(dense, "r", false).panels(Axis.OUTPUT, 4)) {
        double[][] values = Plain.random(panel.out(), RANK, panel.module().hashCode());
        own.put(panel.module(), values);
        TensorView left =
            stored.of(
                LowRank.factorA(panel.module()), DType.F32, panel.shapeOfA(RANK), flat(values));
        states.put(panel.module(), new LayerState.Factored(panel, new Factors(left, ofB)));
      }
      for (Layer panel : layer(dense, "t", true).panels(Axis.INPUT, 4)) {
        states.put(panel.module(), withA(panel, ofA, stored));
      }
      FactoredModel model = new FactoredModel(dense, "cluster", states, stored);
      OutputOptions output = OutputOptions.to(written);
      try (CheckpointWriter writer =
          CheckpointWriter.create(output, model.content(Optional.empty()))) {
        model.write(writer);
        writer.commitWithoutManifest();
      }
    }
  }

  private static Layer layer(Checkpoint dense, String module, boolean transposed) {
    return new Layer(
        dense.path(), module, dense.tensor(module + ".weight"), transposed, Optional.empty());
  }

  private LayerState withA(Layer panel, TensorView ofA, StoredTensors stored) {
    double[][] values = Plain.random(RANK, panel.in(), panel.module().hashCode());
    own.put(panel.module(), values);
    TensorView right =
        stored.of(LowRank.factorB(panel.module()), DType.F32, panel.shapeOfB(RANK), flat(values));
    return new LayerState.Factored(panel, new Factors(ofA, right));
  }

  private static double[] flat(double[][] values) {
    return Plain.flatten(values);
  }

  /** As f32 has it. */
  private static double[][] rounded(double[][] values) {
    return Arrays.stream(values)
        .map(row -> Arrays.stream(row).map(value -> (float) value).toArray())
        .toArray(double[][]::new);
  }

  private double[][] own(String module) {
    assertThat(own).containsKey(module);
    return rounded(own.getOrDefault(module, new double[0][]));
  }

  /** W_p of that module, as stored. */
  private double[][] product(String module) {
    return module.startsWith("r.")
        ? Plain.multiply(own(module), rounded(b))
        : Plain.multiply(rounded(a), own(module));
  }

  private static double[][] columns(double[][] w, int first, int end) {
    return Arrays.stream(w)
        .map(row -> Arrays.copyOfRange(row, first, end))
        .toArray(double[][]::new);
  }

  @Test
  void basesAreWrittenOnce() {
    try (Checkpoint checkpoint = Checkpoint.open(written)) {
      assertThat(checkpoint.infos())
          .extracting(info -> info.name() + " " + info.shape())
          .containsExactlyInAnyOrder(
              "m.bias [6]",
              "m.p0.BLinear.weight [2,4]",
              "m.p1.BLinear.weight [2,4]",
              "m.p2.weight [6,2]",
              "r.p0.ALinear.weight [4,2]",
              "r.p1.ALinear.weight [3,2]",
              "smelt.basis.0 [6,2]",
              "smelt.basis.1 [2,5]",
              "t.p0.BLinear.weight [2,4]",
              "t.p1.BLinear.weight [2,4]");
      assertThat(LowRank.of(checkpoint).bases())
          .containsExactly(
              Map.entry(new Basis(0), List.of("m.p0", "m.p1", "t.p0", "t.p1")),
              Map.entry(new Basis(1), List.of("r.p0", "r.p1")));
      assertThat(Plain.rows(checkpoint.tensor("m.p2.weight")))
          .isEqualTo(columns(rounded(m), 8, 10));
    }
  }

  @Test
  void theWholeIsWhatThePartsAre() {
    double[][] expected = rounded(m);
    for (int i = 0; i < OUT; i++) {
      System.arraycopy(product("m.p0")[i], 0, expected[i], 0, 4);
      System.arraycopy(product("m.p1")[i], 0, expected[i], 4, 4);
    }
    assertExpands("m.weight", expected);
    double[][] rows = new double[7][];
    System.arraycopy(product("r.p0"), 0, rows, 0, 4);
    System.arraycopy(product("r.p1"), 0, rows, 4, 3);
    assertExpands("r.weight", rows);
    double[][] turned = new double[8][];
    System.arraycopy(Plain.transpose(product("t.p0")), 0, turned, 0, 4);
    System.arraycopy(Plain.transpose(product("t.p1")), 0, turned, 4, 4);
    assertExpands("t.weight", turned);
  }

  private void assertExpands(String name, double[][] expected) {
    try (Checkpoint checkpoint = Checkpoint.open(written)) {
      DenseTensor found =
          DenseModel.of(checkpoint).tensors().stream()
              .filter(tensor -> tensor.info().name().equals(name))
              .findFirst()
              .orElseThrow();
      assertThat(found.info().shape()).isEqualTo(Shape.of(expected.length, expected[0].length));
      assertThat(found)
          .isInstanceOfSatisfying(
              DenseTensor.Product.class,
              product ->
                  assertThat(product.multiply(TestDevice.get()))
                      .containsExactly(flat(expected), within(1e-12)));
    }
  }

  @Test
  void certificatesAreThoseOfTheParts() {
    try (Checkpoint dense = Checkpoint.open(original);
        Checkpoint checkpoint = Checkpoint.open(written)) {
      Map<String, double[][]> expected = new LinkedHashMap<>();
      expected.put("m.p0", columns(rounded(m), 0, 4));
      expected.put("m.p1", columns(rounded(m), 4, 8));
      expected.put("r.p0", Arrays.copyOfRange(rounded(r), 0, 4));
      expected.put("r.p1", Arrays.copyOfRange(rounded(r), 4, 7));
      expected.put("t.p0", columns(rounded(t), 0, 4));
      expected.put("t.p1", columns(rounded(t), 4, 8));
      List<Recertification.Stored> pairs = Recertification.pairs(LowRank.of(checkpoint));
      assertThat(pairs)
          .extracting(Recertification.Stored::module)
          .containsExactlyElementsOf(expected.keySet());
      for (Recertification.Stored pair : pairs) {
        double[][] w = expected.getOrDefault(pair.module(), new double[0][]);
        assertThat(pair.of(dense).toDoubles()).isEqualTo(flat(w));
        assertThat(
                Recertification.of(dense, checkpoint, pair, new PlainMetric(), TestDevice.get())
                    .relativeError())
            .isCloseTo(Plain.relativeError(w, product(pair.module())), within(1e-12));
      }
    }
  }

  /** The columns of t are there, but m has fewer of them. */
  @Test
  void partsOfALargerMatrixAreRefused() {
    Path narrow =
        TestCheckpoints.folder(
            folder.resolve("narrow"), "{}", List.of(Plain.tensor("m.weight", columns(m, 0, 6))));
    try (Checkpoint dense = Checkpoint.open(narrow);
        Checkpoint checkpoint = Checkpoint.open(written)) {
      Recertification.Stored second = Recertification.pairs(LowRank.of(checkpoint)).get(1);
      assertThat(second.module()).isEqualTo("m.p1");
      assertThatThrownBy(
              () ->
                  Recertification.of(
                      dense, checkpoint, second, new PlainMetric(), TestDevice.get()))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("expected those of [6,6]");
    }
  }

  @Test
  void panelsOnBothAxesMakeNoMatrix() {
    try (Checkpoint dense = Checkpoint.open(original);
        Scratch scratch = Storage.local().scratch(written)) {
      StoredTensors stored = new StoredTensors(scratch, written, Optional.empty());
      SequencedMap<String, LayerState> states = new LinkedHashMap<>();
      TensorView ofA = stored.of(new Basis(0).name(), DType.F32, Shape.of(OUT, RANK), flat(a));
      Layer whole = layer(dense, "m", false);
      states.put("m.p0", withA(whole.panels(Axis.INPUT, 5).getFirst(), ofA, stored));
      states.put("m.p1", new LayerState.Dense(whole.panels(Axis.OUTPUT, 3).getLast(), "small"));
      FactoredModel model = new FactoredModel(dense, "cluster", states, stored);
      assertThatThrownBy(model::config)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("some parts are rows, others columns");
    }
  }
}
