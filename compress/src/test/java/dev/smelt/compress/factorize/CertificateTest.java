package dev.smelt.compress.factorize;

import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.lowrank.Certificate;
import dev.smelt.compress.metric.FisherMetric;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.metric.PlainMetric;
import dev.smelt.compress.metric.Side;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The errors reported against the files as written, and promises kept in them. */
class CertificateTest {

  /** Of f64 sums over the stored factors, relative. */
  private static final double RECOMPUTED = 1e-10;

  private static final int OUT = 30;
  private static final int IN = 22;

  @TempDir private Path folder;

  private Path model(double[][] w) {
    return TestCheckpoints.file(
        folder.resolve("in.safetensors"), List.of(Plain.tensor("m.weight", w)));
  }

  private static double[][] read(Path file) {
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      return Plain.rows(checkpoint.tensor("m.weight"));
    }
  }

  /** In f32 what is written is the best there is; in bf16 rounding shows in the third digit. */
  @ParameterizedTest
  @CsvSource({"F64, 1e-9", "F32, 1e-6", "BF16, 1e-3"})
  void theReportedErrorIsThatOfTheFile(DType dtype, double tolerance) {
    Path in = model(Plain.random(OUT, IN, 1));
    double[][] w = read(in);
    Factorization.Setup options = Factorization.plain(new UniformKeep(0.5)).as(dtype);
    Factorization done = options.run(in, folder.resolve("out.safetensors"));
    double reported = relativeError(done);
    double best = Plain.tail(Plain.singularValues(w), 6) / Plain.frobenius(w);
    assertThat(done.record("m.weight").rank()).isEqualTo(6);
    assertThat(done.record("m.weight").weightedRelativeError()).isEqualTo(reported);
    assertThat(reported)
        .isCloseTo(Plain.relativeError(w, done.product("m")), within(RECOMPUTED))
        .isCloseTo(best, within(tolerance * best));
  }

  @ParameterizedTest
  @CsvSource({"INPUT", "OUTPUT", "BOTH"})
  void theWeightedErrorIsThatOfTheFile(Side side) {
    Path in = model(Plain.random(OUT, IN, 2));
    double[][] w = read(in);
    double[] left = new double[OUT];
    double[] right = new double[IN];
    Arrays.fill(left, 1);
    Arrays.fill(right, 1);
    TestTensor fisher = fisher(left, right, side);
    Path file = folder.resolve("statistics.safetensors");
    TestCheckpoints.file(file, List.of(fisher.renamed("diag/m.weight")));
    try (Statistics statistics = Statistics.open(file)) {
      Factorization.Setup options =
          Factorization.with(new FisherMetric(statistics, side), new UniformKeep(0.5));
      Factorization done = options.run(in, folder.resolve("out.safetensors"));
      TensorRecord record = done.record("m.weight");
      double[][] t = Plain.scaleColumns(Plain.scaleRows(w, left), right);
      double[][] written = Plain.scaleColumns(Plain.scaleRows(done.product("m"), left), right);
      double best = Plain.tail(Plain.singularValues(t), 6) / Plain.frobenius(t);
      assertThat(relativeError(done))
          .isCloseTo(Plain.relativeError(w, done.product("m")), within(RECOMPUTED));
      assertThat(record.weightedRelativeError())
          .isCloseTo(Plain.relativeError(t, written), within(RECOMPUTED))
          .isCloseTo(best, within(1e-6 * best));
      assertThat(record.reason()).isNull();
      assertRecertified(in, done, new FisherMetric(statistics, side));
    }
  }

  private static void assertRecertified(Path in, Factorization done, Metric metric) {
    try (Checkpoint original = Checkpoint.open(in);
        Checkpoint written = Checkpoint.open(done.target())) {
      Recertification.Stored pair = Recertification.pairs(LowRank.of(written)).getFirst();
      assertThat(pair).isEqualTo(stored("m"));
      Certificate again = Recertification.of(original, written, pair, metric, TestDevice.get());
      TensorRecord record = done.record("m.weight");
      assertThat(again.relativeError()).isEqualTo(record.relativeError());
      assertThat(again.weightedRelativeError()).isEqualTo(record.weightedRelativeError());
    }
  }

  /** Where F = r cᵀ, Σ F_jk Δ_jk² is ‖diag(√r) Δ diag(√c)‖²: nothing of the rank has less of it. */
  @Test
  void bothSidesTogetherAreOptimalForInformationOfRankOne() {
    double[][] w = Plain.random(OUT, IN, 30);
    Path in = model(w);
    double[][] r = Plain.random(OUT, 1, 31);
    double[][] c = Plain.random(1, IN, 32);
    double[][] information = Plain.multiply(squared(r), squared(c));
    Path file = folder.resolve("statistics.safetensors");
    TestCheckpoints.file(file, List.of(Plain.tensor("diag/m.weight", information)));
    try (Statistics statistics = Statistics.open(file)) {
      Factorization done =
          Factorization.with(new FisherMetric(statistics, Side.BOTH), new UniformKeep(0.5))
              .run(in, folder.resolve("out.safetensors"));
      double ours = predicted(information, Plain.subtract(w, done.product("m")));
      int rank = rank(done);
      double[][] a;
      double[][] b;
      try (Checkpoint written = Checkpoint.open(done.target())) {
        a = Plain.rows(written.tensor("m.ALinear.weight"));
        b = Plain.rows(written.tensor("m.BLinear.weight"));
      }
      for (int i = 0; i < 1000; i++) {
        double distance = Math.pow(10, -4.0 * i / 1000);
        double[][] other =
            Plain.multiply(
                Plain.add(a, distance, Plain.random(OUT, rank, 100 + i)),
                Plain.add(b, distance, Plain.random(rank, IN, 5000 + i)));
        // The weights are regularised by a millionth of their mean.
        assertThat(predicted(information, Plain.subtract(w, other)))
            .isGreaterThan(ours * (1 - 1e-5));
      }
    }
  }

  private static double[][] squared(double[][] a) {
    double[][] squares = new double[a.length][a[0].length];
    for (int i = 0; i < a.length; i++) {
      for (int k = 0; k < a[0].length; k++) {
        squares[i][k] = a[i][k] * a[i][k];
      }
    }
    return squares;
  }

  private static double predicted(double[][] information, double[][] change) {
    double sum = 0;
    for (int i = 0; i < change.length; i++) {
      for (int k = 0; k < change[0].length; k++) {
        sum += information[i][k] * change[i][k] * change[i][k];
      }
    }
    return sum;
  }

  /** Random information, and the weights that follow from it by the book. */
  private static TestTensor fisher(double[] left, double[] right, Side side) {
    SplittableRandom random = new SplittableRandom(3);
    float[] values = new float[OUT * IN];
    double[] rows = new double[OUT];
    double[] cols = new double[IN];
    for (int k = 0; k < values.length; k++) {
      values[k] = (float) Math.pow(10, -4 * random.nextDouble());
      rows[k / IN] += values[k];
      cols[k % IN] += values[k];
    }
    if (side != Side.INPUT) {
      setWeights(left, rows);
    }
    if (side != Side.OUTPUT) {
      setWeights(right, cols);
    }
    return f32("m.weight", Shape.of(OUT, IN), values);
  }

  private static void setWeights(double[] weights, double[] sums) {
    double mean = Arrays.stream(sums).average().orElseThrow();
    Arrays.setAll(weights, i -> Math.sqrt(sums[i] + 1e-6 * mean));
  }

  @Test
  void withoutInformationTheMetricIsPlainAndSaidSo() {
    Path in = model(Plain.random(OUT, IN, 4));
    Path file = folder.resolve("statistics.safetensors");
    TestCheckpoints.file(
        file, List.of(f32("diag/m.weight", Shape.of(OUT, IN), new float[OUT * IN])));
    try (Statistics statistics = Statistics.open(file)) {
      Factorization.Setup options =
          Factorization.with(new FisherMetric(statistics, Side.INPUT), new UniformKeep(0.5));
      TensorRecord record = options.run(in, folder.resolve("out.safetensors")).record("m.weight");
      assertThat(record.reason()).contains("Fisher information is zero everywhere");
      assertThat(record.weightedRelativeError()).isEqualTo(record.relativeError());
    }
  }

  @ParameterizedTest
  @CsvSource({"F32, 0.3", "F32, 0.05", "BF16, 0.3", "BF16, 0.05"})
  void theRankIsTheSmallestWithinTheError(DType dtype, double limit) {
    Path in = model(Plain.decaying(OUT, IN, 0.7, 5));
    double[] spectrum = Plain.singularValues(read(in));
    Factorization.Setup options = Factorization.plain(new ErrorLimit(limit)).as(dtype);
    Factorization done = options.run(in, folder.resolve("out.safetensors"));
    int rank = rank(done);
    assertThat(relativeError(done)).isLessThanOrEqualTo(limit);
    assertThat(Plain.tail(spectrum, rank)).isLessThanOrEqualTo(limit * Plain.tail(spectrum, 0));
    assertThat(Plain.tail(spectrum, rank - 1)).isGreaterThan(limit * Plain.tail(spectrum, 0));
  }

  /** The limit is met by a hair in exact arithmetic, and missed once the factors are rounded. */
  @ParameterizedTest
  @CsvSource({"F16, 1e-9", "BF16, 1e-6"})
  void aPromiseThatRoundingBreaksTakesMoreRank(DType dtype, double hair) {
    Path in = model(Plain.decaying(OUT, IN, 0.7, 6));
    double[] spectrum = Plain.singularValues(read(in));
    double limit = Plain.tail(spectrum, 5) / Plain.tail(spectrum, 0) * (1 + hair);
    Factorization.Setup options = Factorization.plain(new ErrorLimit(limit)).as(dtype);
    Factorization done = options.run(in, folder.resolve("out.safetensors"));
    assertThat(rank(done)).isEqualTo(6);
    assertThat(relativeError(done)).isLessThanOrEqualTo(limit);
  }

  @Test
  void aPromiseNoRankCanKeepLeavesTheMatrixDense() {
    Path in = model(Plain.random(OUT, IN, 7));
    Factorization.Setup options =
        Factorization.plain(new ErrorLimit(1e-5)).as(DType.BF16).evenIfLarger();
    Factorization done = options.run(in, folder.resolve("out.safetensors"));
    assertThat(done.record("m.weight").action()).isEqualTo(TensorRecord.KEPT);
    assertThat(done.record("m.weight").reason())
        .contains("rounding to BF16 alone exceeds the promised error");
  }

  @Test
  void factorsOfAnotherModelAreNotCertified() {
    Path in = model(Plain.random(OUT, IN, 8));
    Path out = folder.resolve("out.safetensors");
    Factorization.plain(new UniformKeep(0.5)).run(in, out);
    Path other =
        TestCheckpoints.file(
            folder.resolve("other.safetensors"),
            List.of(Plain.tensor("m.weight", Plain.random(IN, OUT, 9))));
    try (Checkpoint original = Checkpoint.open(other);
        Checkpoint written = Checkpoint.open(out)) {
      PlainMetric metric = new PlainMetric();
      assertThatThrownBy(
              () -> Recertification.of(original, written, stored("m"), metric, TestDevice.get()))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(out + "|m]")
          .hasMessageContaining("expected those of [22,30], found [30,6] and [6,22]");
      assertThatThrownBy(
              () -> Recertification.of(original, written, stored("n"), metric, TestDevice.get()))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("n.weight");
    }
  }

  /** m = A·B exactly; n = A·[5, 0] where [5, 12] was meant: 12/13 of its norm is lost. */
  @Test
  void factorsThatModulesShareAreFound() {
    TestTensor basis = f32("smelt.basis.0", Shape.of(2, 1), 1, 2);
    Path dense =
        TestCheckpoints.file(
            folder.resolve("dense.safetensors"),
            List.of(
                f32("m.weight", Shape.of(2, 3), 3, 4, 5, 6, 8, 10),
                f32("n.weight", Shape.of(2, 2), 5, 12, 10, 24)));
    String list =
        """
        {"low_rank_modules": {"m": {"rank": 1, "A": "smelt.basis.0"},
                              "n": {"rank": 1, "A": "smelt.basis.0"}}}
        """;
    Path written =
        TestCheckpoints.folder(
            folder.resolve("written"),
            list,
            List.of(
                basis,
                f32("m.BLinear.weight", Shape.of(1, 3), 3, 4, 5),
                f32("n.BLinear.weight", Shape.of(1, 2), 5, 0)));
    try (Checkpoint original = Checkpoint.open(dense);
        Checkpoint factors = Checkpoint.open(written)) {
      List<Double> errors =
          Recertification.pairs(LowRank.of(factors)).stream()
              .map(
                  pair ->
                      Recertification.of(
                              original, factors, pair, new PlainMetric(), TestDevice.get())
                          .relativeError())
              .toList();
      assertThat(errors.getFirst()).isCloseTo(0, within(1e-9));
      assertThat(errors.getLast()).isCloseTo(12.0 / 13, within(1e-9));
    }
  }

  /** W − W₀ = [[3, 4], [6, 8]] and A·B = [[3, 0], [6, 0]]: 4/5 of the change is lost. */
  @Test
  void ofAChangeTheChangeIsCertified() {
    Path dense =
        TestCheckpoints.file(
            folder.resolve("dense.safetensors"),
            List.of(f32("m.weight", Shape.of(2, 2), 103, 106, 4, 108)));
    List<TestTensor> tensors =
        List.of(
            f32("m.weight", Shape.of(2, 2), 100, 100, 0, 100),
            f32("m.ALinear.weight", Shape.of(2, 1), 1, 2),
            f32("m.BLinear.weight", Shape.of(1, 2), 3, 0));
    // Stored [in, out]: the matrix is the transpose of what is stored.
    String list =
        "{\"low_rank_modules\": {\"m\": {\"rank\": 1, \"delta\": true, \"transposed\": true}}}";
    Path written = TestCheckpoints.folder(folder.resolve("written"), list, tensors);
    try (Checkpoint original = Checkpoint.open(dense);
        Checkpoint changed = Checkpoint.open(written)) {
      Recertification.Stored pair = Recertification.pairs(LowRank.of(changed)).getFirst();
      assertThat(
              Recertification.of(original, changed, pair, new PlainMetric(), TestDevice.get())
                  .relativeError())
          .isCloseTo(4.0 / 5, within(1e-12));
      double norm = Math.sqrt(103 * 103 + 106 * 106 + 16 + 108 * 108);
      assertThat(Recertification.shareOfChange(original, changed, pair))
          .isCloseTo(Math.sqrt(125) / norm, within(1e-12));
    }
  }

  private static Recertification.Stored stored(String module) {
    return new Recertification.Stored(module, Optional.empty(), new LowRank.Module(6, false));
  }

  private static double relativeError(Factorization done) {
    return Objects.requireNonNull(done.record("m.weight").relativeError());
  }

  private static int rank(Factorization done) {
    return Objects.requireNonNull(done.record("m.weight").rank());
  }
}
