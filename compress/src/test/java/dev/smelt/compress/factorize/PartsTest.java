package dev.smelt.compress.factorize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.expand.DenseModel;
import dev.smelt.compress.expand.DenseTensor;
import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Matrices in parts and convolutions, against truncated decompositions of the pieces. */
class PartsTest {

  private static final String GPT2 = "{\"model_type\": \"gpt2\", \"n_embd\": 16, \"n_head\": 2}";
  private static final String C_ATTN = "h.0.attn.c_attn";
  private static final int WIDTH = 16;

  @TempDir private Path folder;

  private static final LayerSelection SPLIT = new LayerSelection(List.of(), List.of(), true);

  /** Stored [in, 3·out]; the rows of the values decay slowly, those of the others fast. */
  private static double[][] stored() {
    double[][] q = Plain.decaying(WIDTH, WIDTH, 0.3, 1);
    double[][] k = Plain.decaying(WIDTH, WIDTH, 0.4, 2);
    double[][] v = Plain.random(WIDTH, WIDTH, 3);
    double[][] all = new double[3 * WIDTH][];
    System.arraycopy(q, 0, all, 0, WIDTH);
    System.arraycopy(k, 0, all, WIDTH, WIDTH);
    System.arraycopy(v, 0, all, 2 * WIDTH, WIDTH);
    return Plain.transpose(all);
  }

  private Path model() {
    return TestCheckpoints.folder(
        folder.resolve("in"),
        GPT2,
        List.of(
            Plain.tensor(C_ATTN + ".weight", stored()),
            TestTensors.f32(C_ATTN + ".bias", Shape.of(3 * WIDTH), new float[3 * WIDTH])));
  }

  private static double[][] part(double[][] stored, int which) {
    double[][] all = Plain.transpose(stored);
    return Arrays.copyOfRange(all, which * WIDTH, (which + 1) * WIDTH);
  }

  @Test
  void everyPartHasItsOwnRankAndError() {
    Path in = model();
    Path out = folder.resolve("out");
    Factorization done = Factorization.plain(new ErrorLimit(0.05)).of(SPLIT).run(in, out);
    double[][] w;
    try (Checkpoint checkpoint = Checkpoint.open(in)) {
      w = Plain.rows(checkpoint.tensor(C_ATTN + ".weight"));
    }
    String[] names = {"q", "k", "v"};
    for (int i = 0; i < 2; i++) {
      String module = C_ATTN + "." + names[i];
      TensorRecord record = done.record(module + ".weight");
      double[] spectrum = Plain.singularValues(part(w, i));
      int rank = Objects.requireNonNull(record.rank());
      double best = Plain.tail(spectrum, rank) / Plain.tail(spectrum, 0);
      assertThat(record.relativeError()).isCloseTo(best, within(1e-6));
      assertThat(Plain.tail(spectrum, rank - 1) / Plain.tail(spectrum, 0)).isGreaterThan(0.05);
      assertThat(Plain.relativeError(part(w, i), done.product(module)))
          .isCloseTo(best, within(1e-6));
      assertThat(record.bytesBefore()).isEqualTo(4 * WIDTH * WIDTH);
    }
    assertThat(done.record(C_ATTN + ".v.weight").action()).isEqualTo(TensorRecord.KEPT);
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(Plain.rows(written.tensor(C_ATTN + ".v.weight"))).isEqualTo(part(w, 2));
      assertThat(written.find(C_ATTN + ".bias")).isPresent();
      LowRank.Split split = (LowRank.Split) LowRank.of(written).modules().get(C_ATTN);
      assertThat(Objects.requireNonNull(split).parts())
          .extracting(LowRank.Part::name)
          .containsExactly(names);
      for (Recertification.Stored pair : Recertification.pairs(LowRank.of(written))) {
        try (Checkpoint original = Checkpoint.open(in)) {
          assertThat(
                  Recertification.of(original, written, pair, new PlainMetric(), TestDevice.get())
                      .relativeError())
              .isEqualTo(done.record(pair.module() + ".weight").relativeError());
        }
      }
    }
  }

  @Test
  void whereEveryPartStaysDenseNothingIsSplit() {
    Path out = folder.resolve("out");
    Factorization done = Factorization.plain(new ErrorLimit(1e-6)).of(SPLIT).run(model(), out);
    assertThat(done.notes()).contains("no matrix was factorized; the output is dense");
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(Plain.rows(written.tensor(C_ATTN + ".weight")).length).isEqualTo(WIDTH);
      assertThat(LowRank.of(written).modules()).isEmpty();
    }
  }

  /** [out, in, kh, kw] is the matrix [out, in·kh·kw] with the same elements. */
  @Test
  void aConvolutionIsAMatrix() {
    double[][] w = Plain.decaying(12, 5 * 9, 0.5, 4);
    TestTensor flat = Plain.tensor("c.weight", w);
    TestTensor kernels =
        new TestTensor("c.weight", flat.dtype(), Shape.of(12, 5, 3, 3), flat.bytes());
    Path in = TestCheckpoints.file(folder.resolve("in.safetensors"), List.of(kernels));
    Path out = folder.resolve("out.safetensors");
    Factorization done = Factorization.plain(new UniformKeep(0.5)).run(in, out);
    // ⌊0.5 · 12 · 45 / 57⌋
    assertThat(done.record("c.weight").rank()).isEqualTo(4);
    double[] spectrum = Plain.singularValues(w);
    double best = Plain.tail(spectrum, 4) / Plain.tail(spectrum, 0);
    assertThat(done.record("c.weight").relativeError()).isCloseTo(best, within(1e-6));
    try (Checkpoint written = Checkpoint.open(out)) {
      TensorView a = written.tensor("c.ALinear.weight");
      TensorView b = written.tensor("c.BLinear.weight");
      assertThat(a.shape()).isEqualTo(Shape.of(12, 4, 1, 1));
      assertThat(b.shape()).isEqualTo(Shape.of(4, 5, 3, 3));
      double[][] product =
          Plain.multiply(Plain.rows(a.toDoubles(), 4), Plain.rows(b.toDoubles(), 45));
      assertThat(Plain.relativeError(w, product)).isCloseTo(best, within(1e-6));
      DenseTensor dense = DenseModel.of(written).tensors().getFirst();
      assertThat(dense.info().shape()).isEqualTo(Shape.of(12, 5, 3, 3));
    }
  }

  /** One input per output: the two factors would not be such a convolution. */
  @Test
  void aDepthwiseConvolutionIsLeftAlone() {
    TestTensor depthwise = TestTensors.random("d.weight", DType.F32, 5, 20, 1, 3, 3);
    TestTensor matrix = Plain.tensor("m.weight", Plain.random(20, 20, 6));
    Path in = TestCheckpoints.file(folder.resolve("in.safetensors"), List.of(depthwise, matrix));
    Factorization done =
        Factorization.plain(new UniformKeep(0.5)).run(in, folder.resolve("out.safetensors"));
    assertThat(done.record("d.weight").action()).isEqualTo(TensorRecord.KEPT);
    assertThat(done.record("m.weight").action()).isEqualTo(TensorRecord.FACTORIZED);
  }
}
