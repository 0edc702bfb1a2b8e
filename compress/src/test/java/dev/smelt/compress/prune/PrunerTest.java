package dev.smelt.compress.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.testing.Plain;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Pruned checkpoints against definitions. */
class PrunerTest {

  private static final String A = "a.weight";
  private static final String B = "b.weight";

  @TempDir private Path folder;

  private Path out() {
    return folder.resolve("out.safetensors");
  }

  private Path model(DType type) {
    return TestCheckpoints.file(
        folder.resolve("in.safetensors"),
        List.of(
            TestTensors.random(A, type, 1, 12, 20),
            TestTensors.random("a.bias", type, 2, 12),
            TestTensors.random(B, type, 3, 8, 12),
            TestTensors.random("c.weight", type, 4, 4, 2, 3, 3)));
  }

  private double[] before(DType type, String name) {
    try (dev.smelt.formats.Checkpoint checkpoint = dev.smelt.formats.Checkpoint.open(model(type))) {
      return checkpoint.tensor(name).toDoubles();
    }
  }

  @ParameterizedTest
  @CsvSource({"0.5, 240", "0.29, 239", "0.999, 408", "0.001, 408", "0.3333333, 408"})
  void exactlyTheFloorOfTheShareGoes(double sparsity, int ignored) {
    // 0.29 of 100 is 28.999999999999996 in doubles.
    assertThat(Share.of(0.29, 100)).isEqualTo(29);
    assertThat(Share.of(sparsity, ignored)).isEqualTo((long) Math.floor(sparsity * ignored + 1e-9));
    int all = 12 * 20 + 8 * 12 + 4 * 2 * 3 * 3;
    Pruned global = Pruned.Setup.of(Scope.GLOBAL).magnitude(model(DType.F32), out(), sparsity);
    assertThat(global.zeros()).isEqualTo((long) Math.floor(sparsity * all + 1e-9));
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F64", "F32", "F16", "BF16"})
  void eachTensorLosesItsShareAndNothingElseChanges(DType type) {
    Pruned pruned = Pruned.Setup.of(Scope.TENSOR).magnitude(model(type), out(), 0.3);
    for (String name : List.of(A, B, "c.weight")) {
      double[] was = before(type, name);
      double[] is = pruned.tensor(name);
      double largest = 0;
      double smallest = Double.POSITIVE_INFINITY;
      double gone = 0;
      double all = 0;
      for (int i = 0; i < was.length; i++) {
        all += was[i] * was[i];
        if (is[i] == 0) {
          largest = Math.max(largest, Math.abs(was[i]));
          gone += was[i] * was[i];
        } else {
          assertThat(is[i]).isEqualTo(was[i]);
          smallest = Math.min(smallest, Math.abs(is[i]));
        }
      }
      long zeros = (long) (0.3 * was.length);
      assertThat(Pruned.zeros(is)).isEqualTo(zeros);
      assertThat(largest).isLessThanOrEqualTo(smallest);
      TensorRecord record = pruned.record(name);
      assertThat(record.action()).isEqualTo(TensorRecord.PRUNED);
      assertThat(record.sparsity()).isEqualTo(new TensorRecord.Sparsity(was.length, zeros));
      assertThat(record.relativeError()).isCloseTo(Math.sqrt(gone / all), within(1e-12));
      assertThat(record.bytesAfter()).isEqualTo(record.bytesBefore());
    }
    assertThat(pruned.tensor("a.bias")).isEqualTo(before(type, "a.bias"));
    assertThat(pruned.record("a.bias").action()).isEqualTo(TensorRecord.KEPT);
  }

  @Test
  void anotherTypeIsRoundedToAfterwards() {
    Pruned same = Pruned.Setup.of(Scope.GLOBAL).magnitude(model(DType.F32), out(), 0.4);
    Path other = folder.resolve("bf16.safetensors");
    Pruned rounded =
        Pruned.Setup.of(Scope.GLOBAL).as(DType.BF16).magnitude(model(DType.F32), other, 0.4);
    double[] was = before(DType.F32, A);
    double gone = 0;
    for (int i = 0; i < was.length; i++) {
      assertThat(rounded.tensor(A)[i] == 0).isEqualTo(same.tensor(A)[i] == 0);
      assertThat(rounded.tensor(A)[i])
          .isCloseTo(same.tensor(A)[i], within(Math.abs(was[i]) * 0x1p-8));
      gone += Math.pow(was[i] - rounded.tensor(A)[i], 2);
    }
    double all = Arrays.stream(was).map(w -> w * w).sum();
    assertThat(rounded.record(A).relativeError()).isCloseTo(Math.sqrt(gone / all), within(1e-12));
    assertThat(rounded.record(A).bytesAfter() * 2).isEqualTo(rounded.record(A).bytesBefore());
  }

  @ParameterizedTest
  @EnumSource(Scope.class)
  void threadsDoNotMatter(Scope scope) {
    Pruned one = Pruned.Setup.of(scope).on(1).magnitude(model(DType.BF16), out(), 0.55);
    Pruned many =
        Pruned.Setup.of(scope)
            .on(5)
            .magnitude(model(DType.BF16), folder.resolve("many.safetensors"), 0.55);
    assertThat(many.records()).isEqualTo(one.records());
    one.values().forEach((name, values) -> assertThat(many.tensor(name)).isEqualTo(values));
  }

  @Test
  void ofEveryFourTwoStayAtMost() {
    Pattern pattern = Pattern.parse("2:4");
    Pruned pruned =
        Pruned.Setup.of(pattern, Scope.GLOBAL)
            .select(new PruneSelection(List.of(), List.of("c")))
            .magnitude(model(DType.F32), out(), 0);
    for (String name : List.of(A, B)) {
      double[] is = pruned.tensor(name);
      for (int i = 0; i < is.length; i += 4) {
        assertThat(Pruned.zeros(Arrays.copyOfRange(is, i, i + 4))).isEqualTo(2);
      }
    }
    assertThatThrownBy(
            () ->
                Pruned.Setup.of(pattern, Scope.GLOBAL)
                    .magnitude(model(DType.F32), folder.resolve("no.safetensors"), 0))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("18 inputs of c.weight")
        .hasMessageContaining("--exclude c");
  }

  @ParameterizedTest
  @CsvSource({"4:4", "0:4", "5:4", "2:2000", "x", "2:", "Unstructured"})
  void patternsThatMakeNoSenseAreRefused(String text) {
    assertThatThrownBy(() -> Pattern.parse(text)).isInstanceOf(UsageException.class);
  }

  // ------------------------------------------------------------------ criteria with statistics

  private static final int OUT = 5;
  private static final int IN = 7;

  private final double[][] w = rounded(Plain.random(OUT, IN, 11));
  private final double[][] fisher = squares(Plain.random(OUT, IN, 12));
  private final double[][] gram = gram();

  private static double[][] gram() {
    double[][] x = Plain.random(IN, 3 * IN, 13);
    return rounded(Plain.multiply(x, Plain.transpose(x)));
  }

  private static double[][] rounded(double[][] a) {
    double[][] rounded = new double[a.length][a[0].length];
    for (int i = 0; i < a.length; i++) {
      for (int k = 0; k < a[0].length; k++) {
        rounded[i][k] = (float) a[i][k];
      }
    }
    return rounded;
  }

  private static double[][] squares(double[][] a) {
    double[][] squares = rounded(a);
    for (double[] row : squares) {
      for (int k = 0; k < row.length; k++) {
        row[k] = (float) (row[k] * row[k]);
      }
    }
    return squares;
  }

  private Path statistics(TestTensor... more) {
    List<TestTensor> tensors = new ArrayList<>(List.of(more));
    tensors.add(Plain.tensor("diag/m.weight", fisher));
    tensors.add(Plain.tensor("input_gram/m", gram));
    Path file = folder.resolve("F.safetensors");
    TestCheckpoints.write(
        file, TestCheckpoints.safetensors(tensors, Map.of("examples", "4", "tokens", "40")));
    return file;
  }

  private Path matrix() {
    return TestCheckpoints.file(
        folder.resolve("m.safetensors"), List.of(Plain.tensor("m.weight", w)));
  }

  private Pruned half(Scope scope, Function<Statistics, Method> method) {
    return Pruned.Setup.of(scope).by(statistics()).run(matrix(), out(), 0.5, method);
  }

  /** Of a matrix, by brute force: those that go are the smallest of all, or of their row. */
  private void assertSmallestGo(Pruned pruned, double[][] scores, boolean byRow) {
    double[] is = pruned.tensor("m.weight");
    double[] all = Plain.flatten(scores);
    for (int i = 0; i < is.length; i++) {
      int from = byRow ? i / IN * IN : 0;
      int to = byRow ? from + IN : is.length;
      int at = i;
      long smaller =
          java.util.stream.IntStream.range(from, to).filter(k -> all[k] < all[at]).count();
      assertThat(is[i] == 0).as("weight %d", i).isEqualTo(smaller < (to - from) / 2);
    }
  }

  @Test
  void fisherIsHalfOfTheInformationTimesTheSquare() {
    double[][] scores = new double[OUT][IN];
    double predicted = 0;
    for (int i = 0; i < OUT; i++) {
      for (int k = 0; k < IN; k++) {
        scores[i][k] = 0.5 * fisher[i][k] * w[i][k] * w[i][k];
      }
    }
    Pruned pruned =
        half(Scope.TENSOR, statistics -> new Method.ByScore(new FisherLoss(statistics)));
    assertSmallestGo(pruned, scores, false);
    for (int i = 0; i < OUT * IN; i++) {
      predicted += pruned.tensor("m.weight")[i] == 0 ? scores[i / IN][i % IN] : 0;
    }
    assertThat(pruned.record("m.weight").predictedLoss())
        .isCloseTo(predicted, within(1e-14 * predicted));
  }

  @Test
  void wandaIsTheMagnitudeTimesTheNormOfTheInput() {
    double[][] scores = new double[OUT][IN];
    for (int i = 0; i < OUT; i++) {
      for (int k = 0; k < IN; k++) {
        scores[i][k] = Math.abs(w[i][k]) * Math.sqrt(gram[k][k]);
      }
    }
    Pruned pruned = half(Scope.ROW, statistics -> new Method.ByScore(new Wanda(statistics)));
    assertSmallestGo(pruned, scores, true);
  }

  @Test
  void lossIsSpreadOverTensorsAsTheSmallestPredictedLossesAre() {
    double[][] other = rounded(Plain.random(3, IN, 21));
    double[][] information = squares(Plain.random(3, IN, 22));
    Path two =
        TestCheckpoints.file(
            folder.resolve("two.safetensors"),
            List.of(Plain.tensor("m.weight", w), Plain.tensor("n.weight", other)));
    Path statistics = statistics(Plain.tensor("diag/n.weight", information));
    Function<Statistics, Method> byLoss = found -> new Method.ByScore(new FisherLoss(found));
    Pruned global = Pruned.Setup.of(Scope.GLOBAL).by(statistics).run(two, out(), 0.5, byLoss);
    for (Scope scope : List.of(Scope.TENSOR, Scope.ROW)) {
      Pruned spread =
          Pruned.Setup.of(scope)
              .by(statistics)
              .with(Allocation.LOSS)
              .magnitude(two, folder.resolve(scope + ".safetensors"), 0.5);
      for (String name : List.of("m.weight", "n.weight")) {
        assertThat(Pruned.zeros(spread.tensor(name))).isEqualTo(Pruned.zeros(global.tensor(name)));
      }
    }
    assertThatThrownBy(
            () ->
                Pruned.Setup.of(Scope.TENSOR)
                    .with(Allocation.LOSS)
                    .magnitude(two, folder.resolve("no.safetensors"), 0.5))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("Fisher information");
  }

  @Test
  void statisticsThatAreMissingOrOfAnotherShapeAreRefused() {
    Path other =
        TestCheckpoints.file(
            folder.resolve("o.safetensors"),
            List.of(TestTensors.random("o.weight", DType.F32, 1, 4, 4)));
    assertThatThrownBy(
            () ->
                Pruned.Setup.of(Scope.TENSOR)
                    .by(statistics())
                    .run(other, out(), 0.5, found -> new Method.ByScore(new FisherLoss(found))))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("diag/o.weight")
        .hasMessageContaining("--exclude o");
    Path larger =
        TestCheckpoints.file(
            folder.resolve("l.safetensors"),
            List.of(TestTensors.random("m.weight", DType.F32, 1, OUT, IN + 1)));
    assertThatThrownBy(
            () ->
                Pruned.Setup.of(Scope.TENSOR)
                    .by(statistics())
                    .run(larger, out(), 0.5, found -> new Method.ByScore(new FisherLoss(found))))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("expected [5,8], found [5,7]");
  }

  @Test
  void onlyWhatIsAskedForIsPruned() {
    Pruned pruned =
        Pruned.Setup.of(Scope.TENSOR)
            .select(new PruneSelection(List.of("b"), List.of()))
            .magnitude(model(DType.F32), out(), 0.5);
    assertThat(Pruned.zeros(pruned.tensor(A))).isZero();
    assertThat(Pruned.zeros(pruned.tensor(B))).isEqualTo(48);
    assertThatThrownBy(
            () ->
                Pruned.Setup.of(Scope.TENSOR)
                    .select(new PruneSelection(List.of("a.bias"), List.of()))
                    .magnitude(model(DType.F32), folder.resolve("no.safetensors"), 0.5))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("a.bias");
  }

  @Test
  void aMatrixStoredTwiceIsPrunedWholeOrNotAtAll() {
    SplittableRandom random = new SplittableRandom(5);
    float[] table = new float[6 * 4];
    for (int i = 0; i < table.length; i++) {
      table[i] = (float) random.nextGaussian();
    }
    Path tied =
        TestCheckpoints.folder(
            folder.resolve("tied"),
            "{\"model_type\": \"gpt2\"}",
            List.of(
                TestTensors.f32("transformer.wte.weight", Shape.of(6, 4), table),
                TestTensors.f32("lm_head.weight", Shape.of(6, 4), table)));
    assertThatThrownBy(
            () ->
                Pruned.Setup.of(Scope.TENSOR)
                    .select(new PruneSelection(List.of("lm_head"), List.of()))
                    .magnitude(tied, folder.resolve("no"), 0.5))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("one matrix");
    Pruned both =
        Pruned.Setup.of(Scope.TENSOR)
            .select(new PruneSelection(List.of("lm_head", "*wte"), List.of()))
            .magnitude(tied, folder.resolve("both"), 0.5);
    assertThat(both.tensor("lm_head.weight")).isEqualTo(both.tensor("transformer.wte.weight"));
  }
}
