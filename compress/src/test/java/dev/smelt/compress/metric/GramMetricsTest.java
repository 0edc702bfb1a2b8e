package dev.smelt.compress.metric;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.factorize.UniformKeep;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Weighting;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.Plain;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Norms by Gram matrices against the traces that they stand for. */
class GramMetricsTest {

  private static final int OUT = 6;
  private static final int IN = 9;
  private static final double DAMPING = 1e-3;
  private static final double TOLERANCE = 1e-10;

  @TempDir private Path folder;

  private Path statistics(TestTensor... tensors) {
    Path file = folder.resolve("statistics.safetensors");
    Map<String, String> metadata = Map.of("examples", "4", "tokens", "40");
    TestCheckpoints.write(file, TestCheckpoints.safetensors(List.of(tensors), metadata));
    return file;
  }

  private Path model(double[][] w) {
    return TestCheckpoints.file(
        folder.resolve("in.safetensors"), List.of(Plain.tensor("m.weight", w)));
  }

  private static double[][] gram(int order, int samples, long seed) {
    double[][] x = Plain.random(order, samples, seed);
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

  private static TestTensor inputs(double[][] gram) {
    return Plain.tensor("input_gram/m", gram);
  }

  private static TestTensor gradients(double[][] gram) {
    return Plain.tensor("grad_gram/m", gram);
  }

  /** H + δ mean(diag H) I. */
  private static double[][] damped(double[][] h) {
    double mean = 0;
    for (int i = 0; i < h.length; i++) {
      mean += h[i][i] / h.length;
    }
    double[][] damped = Plain.scale(h, 1);
    for (int i = 0; i < h.length; i++) {
      damped[i][i] += DAMPING * mean;
    }
    return damped;
  }

  /** √tr(G X A Xᵀ). */
  private static double norm(double[][] g, double[][] x, double[][] a) {
    double[][] product =
        Plain.multiply(Plain.multiply(g, x), Plain.multiply(a, Plain.transpose(x)));
    double trace = 0;
    for (int i = 0; i < product.length; i++) {
      trace += product[i][i];
    }
    return Math.sqrt(trace);
  }

  private static double[][] identity(int order) {
    double[][] identity = new double[order][order];
    for (int i = 0; i < order; i++) {
      identity[i][i] = 1;
    }
    return identity;
  }

  private <T> T weighted(Metric metric, BiFunction<LinearAlgebra, Metric.Weighted, T> use) {
    try (Checkpoint model = Checkpoint.open(model(Plain.random(OUT, IN, 9)));
        LinearAlgebra algebra = LinearAlgebra.reference()) {
      Layer layer = new Layer(model.path(), "m", model.tensor("m.weight"), false, Optional.empty());
      return use.apply(algebra, metric.weighting(algebra, layer));
    }
  }

  private double norm(Metric metric, double[][] x) {
    return weighted(
        metric,
        (algebra, found) ->
            algebra.frobenius(
                found.weighting().apply(algebra, algebra.matrix(OUT, IN, Plain.flatten(x)))));
  }

  @Test
  void theKroneckerNormIsTheTraceOfBothGramMatrices() {
    double[][] g = gram(OUT, 20, 1);
    double[][] a = gram(IN, 20, 2);
    try (Statistics opened = Statistics.open(statistics(inputs(a), gradients(g)))) {
      Metric metric = new KroneckerMetric(opened, DAMPING);
      for (int seed = 10; seed < 15; seed++) {
        double[][] x = Plain.random(OUT, IN, seed);
        double expected = norm(damped(g), x, damped(a));
        assertThat(norm(metric, x)).isCloseTo(expected, within(TOLERANCE * expected));
      }
      assertThat(metric.predictsLoss()).isTrue();
      // Half, over the 40 / 4 positions of an example.
      Weighting weighting = weighted(metric, (algebra, found) -> found.weighting());
      assertThat(weighting.lossPerEnergy()).isEqualTo(0.05);
    }
  }

  @Test
  void theActivationNormIsTheErrorOfTheOutputs() {
    double[][] a = gram(IN, 20, 3);
    try (Statistics opened = Statistics.open(statistics(inputs(a)))) {
      Metric metric = new ActivationMetric(opened, DAMPING);
      double[][] x = Plain.random(OUT, IN, 4);
      double expected = norm(identity(OUT), x, damped(a));
      assertThat(norm(metric, x)).isCloseTo(expected, within(TOLERANCE * expected));
      assertThat(metric.predictsLoss()).isFalse();
    }
  }

  /** Of rank 3, and without damping nothing makes it definite but shrinkage. */
  @Test
  void aSingularGramMatrixIsShrunkAndSaidSo() {
    double[][] a = gram(IN, 3, 5);
    try (Statistics opened = Statistics.open(statistics(inputs(a)))) {
      double shrinkage =
          weighted(new ActivationMetric(opened, 0), (algebra, found) -> found.shrinkage());
      assertThat(shrinkage).isBetween(1e-12, 1e-3);
      double damped =
          weighted(new ActivationMetric(opened, DAMPING), (algebra, found) -> found.shrinkage());
      assertThat(damped).isZero();
    }
  }

  @Test
  void withoutInformationTheMetricIsPlainAndSaidSo() {
    double[][] a = gram(IN, 20, 6);
    try (Statistics opened =
        Statistics.open(statistics(inputs(a), gradients(new double[OUT][OUT])))) {
      Metric.Weighted found = weighted(new KroneckerMetric(opened, DAMPING), (al, w) -> w);
      assertThat(found.weighting().isIdentity()).isTrue();
      assertThat(found.weighting().lossPerEnergy()).isZero();
      assertThat(found.remark()).hasValue("gradients are zero everywhere: plain metric");
    }
  }

  @Test
  void gramMatricesThatDoNotFitAreRefused() {
    try (Statistics opened = Statistics.open(statistics(inputs(gram(IN + 1, 20, 7))))) {
      assertThatThrownBy(() -> norm(new ActivationMetric(opened, DAMPING), new double[OUT][IN]))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("|input_gram/m] expected [9,9], found [10,10]");
      assertThatThrownBy(() -> norm(new KroneckerMetric(opened, DAMPING), new double[OUT][IN]))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("grad_gram/m")
          .hasMessageContaining("--stats input-gram,grad-gram");
    }
    double[][] broken = gram(IN, 20, 8);
    broken[2][3] = Double.NaN;
    try (Statistics opened = Statistics.open(statistics(inputs(broken)))) {
      assertThatThrownBy(() -> norm(new ActivationMetric(opened, DAMPING), new double[OUT][IN]))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining("at index 21");
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {-1e-9, 1.5, Double.NaN})
  void aDampingOutOfRangeIsRefused(double damping) {
    try (Statistics opened = Statistics.open(statistics(inputs(gram(IN, 20, 9))))) {
      assertThatThrownBy(() -> new ActivationMetric(opened, damping))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("--damping " + damping);
    }
  }

  /** Reported errors against the written file, and nothing of that rank is closer. */
  @Test
  void theWeightedErrorIsThatOfTheFileAndTheLeastOfItsRank() {
    double[][] g = gram(OUT, 20, 20);
    double[][] a = gram(IN, 20, 21);
    Path in = model(Plain.random(OUT, IN, 22));
    double[][] w = read(in, "m.weight");
    try (Statistics opened = Statistics.open(statistics(inputs(a), gradients(g)))) {
      Factorization done =
          Factorization.with(new KroneckerMetric(opened, DAMPING), new UniformKeep(0.6))
              .run(in, folder.resolve("out.safetensors"));
      TensorRecord record = done.record("m.weight");
      double[][] written = done.product("m");
      double error = norm(damped(g), Plain.subtract(w, written), damped(a));
      double all = norm(damped(g), w, damped(a));
      assertThat(record.weightedRelativeError()).isCloseTo(error / all, within(1e-6 * error / all));
      assertThat(record.predictedLoss()).isCloseTo(0.05 * error * error, within(1e-5 * error));
      assertThat(record.route()).isNotNull();
      int rank = Objects.requireNonNull(record.rank());
      double[][] factorA = read(done.target(), "m.ALinear.weight");
      double[][] factorB = read(done.target(), "m.BLinear.weight");
      for (int i = 0; i < 1000; i++) {
        double distance = Math.pow(10, -5.0 * i / 1000);
        double[][] other =
            Plain.multiply(
                Plain.add(factorA, distance, Plain.random(OUT, rank, 1000 + i)),
                Plain.add(factorB, distance, Plain.random(rank, IN, 5000 + i)));
        assertThat(norm(damped(g), Plain.subtract(w, other), damped(a)))
            .isGreaterThan(error * (1 - 1e-9));
      }
    }
  }

  private static double[][] read(Path file, String tensor) {
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      return Plain.rows(checkpoint.tensor(tensor));
    }
  }
}
