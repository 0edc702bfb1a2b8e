package dev.smelt.compress.sharing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.cluster.ClusterOptions;
import dev.smelt.compress.cluster.ClusterOptions.Algorithm;
import dev.smelt.compress.layer.LayerSelection;
import dev.smelt.compress.metric.FisherMetric;
import dev.smelt.compress.metric.KroneckerMetric;
import dev.smelt.compress.metric.Metric;
import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.manifest.ClusterRecord;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Matrices W_j that share a basis in a norm from statistics, against the norm and the best basis
 * computed by the book.
 */
class WeightedSharingTest {

  private static final int OUT = 10;
  private static final int IN = 14;
  private static final int LAYERS = 3;
  private static final double MAX_ERROR = 0.15;
  private static final double DAMPING = 1e-3;
  private static final double REGULARISATION = 1e-6;

  /** Of f32 factors and statistics. */
  private static final double ROUNDING = 1e-5;

  @TempDir private Path folder;

  /** Roots on both sides of each W: ‖left · W · right‖ is its norm. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Weights(double[][] left, double[][] right) {

    double[][] apply(double[][] w) {
      return Plain.multiply(Plain.multiply(left, w), right);
    }
  }

  private record Written(
      List<double[][]> dense,
      List<double[][]> products,
      ClusterRecord cluster,
      List<TensorRecord> records) {}

  /** Of one column space, or one row space, but for noise. */
  private static double[][] dense(int layer, Side side) {
    double[][] part =
        side == Side.OUTPUT
            ? Plain.multiply(Plain.random(OUT, 3, 7), Plain.random(3, IN, 50 + layer))
            : Plain.multiply(Plain.random(OUT, 3, 50 + layer), Plain.random(3, IN, 7));
    return rounded(Plain.add(part, 0.05, Plain.random(OUT, IN, 60 + layer)));
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

  private static String name(int layer) {
    return "h." + layer + ".m.weight";
  }

  private Path statistics(List<TestTensor> tensors) {
    Path file = folder.resolve("statistics.safetensors");
    Map<String, String> metadata = Map.of("examples", "4", "tokens", "40");
    TestCheckpoints.write(file, TestCheckpoints.safetensors(tensors, metadata));
    return file;
  }

  /** One cluster of all layers. */
  private Written cluster(Path statistics, Side side, Function<Statistics, Metric> metric) {
    List<TestTensor> tensors = new ArrayList<>();
    List<double[][]> dense = new ArrayList<>();
    for (int j = 0; j < LAYERS; j++) {
      dense.add(dense(j, side));
      tensors.add(Plain.tensor(name(j), dense.getLast()));
    }
    Path in = TestCheckpoints.file(folder.resolve("in.safetensors"), tensors);
    OutputOptions output = OutputOptions.to(folder.resolve("out.safetensors"));
    try (Checkpoint checkpoint = Checkpoint.open(in);
        Statistics opened = Statistics.open(statistics);
        ModelClusterer clusterer =
            new ModelClusterer(
                TestDevice.get(),
                ClusterOptions.of(Algorithm.EXACT, Integer.MAX_VALUE, MAX_ERROR),
                output,
                Optional.empty(),
                Optional.empty())) {
      ClusteredModels done =
          clusterer.cluster(
              List.of(new ZooModel("m", checkpoint, metric.apply(opened))),
              Optional.empty(),
              new LayerSelection(List.of("*"), List.of(), false),
              Grouping.SAME_PLACE,
              Panels.NONE,
              List.of(side),
              Progress.NONE);
      assertThat(done.clusters()).hasSize(1);
      assertThat(done.clusters().getFirst().members()).hasSize(LAYERS);
      Checkpoint written = done.models().getFirst();
      double[][] basis = Plain.rows(written.tensor("smelt.basis.0"));
      List<double[][]> products = new ArrayList<>();
      for (int j = 0; j < LAYERS; j++) {
        String own = "h." + j + ".m." + (side == Side.OUTPUT ? "BLinear" : "ALinear") + ".weight";
        double[][] other = Plain.rows(written.tensor(own));
        products.add(
            side == Side.OUTPUT ? Plain.multiply(basis, other) : Plain.multiply(other, basis));
      }
      return new Written(dense, products, done.clusters().getFirst(), done.records());
    }
  }

  /** Errors as reported are those of the product, and no basis of that rank has a smaller one. */
  private static void check(Written written, Side side, List<Weights> weights) {
    double lost = 0;
    double total = 0;
    double[][] all = new double[side == Side.OUTPUT ? OUT : IN][0];
    for (int j = 0; j < LAYERS; j++) {
      double[][] w = written.dense().get(j);
      double[][] difference = Plain.subtract(w, written.products().get(j));
      double error = Plain.frobenius(weights.get(j).apply(difference));
      double[][] seen = weights.get(j).apply(w);
      double norm = Plain.frobenius(seen);
      TensorRecord record = written.records().get(j);
      assertThat(record.weightedRelativeError())
          .isCloseTo(error / norm, within(ROUNDING * error / norm));
      double plain = Plain.frobenius(difference) / Plain.frobenius(w);
      assertThat(record.relativeError()).isCloseTo(plain, within(ROUNDING * plain));
      lost += error * error;
      total += norm * norm;
      all = beside(all, side == Side.OUTPUT ? seen : Plain.transpose(seen));
    }
    double found = Math.sqrt(lost / total);
    double promised = Objects.requireNonNull(written.cluster().weightedRelativeError());
    assertThat(promised).isCloseTo(found, within(ROUNDING * found));
    assertThat(promised).isLessThanOrEqualTo(MAX_ERROR);
    double[] values = Plain.singularValues(all);
    int rank = written.cluster().rank();
    double least = Plain.tail(values, rank) / Math.sqrt(total);
    assertThat(found).isCloseTo(least, within(ROUNDING * least));
    // One direction less would break the promise.
    assertThat(Plain.tail(values, rank - 1) / Math.sqrt(total)).isGreaterThan(MAX_ERROR);
  }

  private static double[][] beside(double[][] a, double[][] b) {
    double[][] joined = new double[a.length][a[0].length + b[0].length];
    for (int i = 0; i < a.length; i++) {
      System.arraycopy(a[i], 0, joined[i], 0, a[i].length);
      System.arraycopy(b[i], 0, joined[i], a[i].length, b[i].length);
    }
    return joined;
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static double[][] diagonal(double[] squares) {
    double[][] matrix = new double[squares.length][squares.length];
    for (int i = 0; i < squares.length; i++) {
      matrix[i][i] = Math.sqrt(squares[i]);
    }
    return matrix;
  }

  /** Sums over rows and columns: the common side is Σ_j t_j · sums, t_j the other side's mean. */
  @ParameterizedTest
  @EnumSource(Side.class)
  void sumsOfFisherInformationWeightBothSides(Side side) {
    List<TestTensor> tensors = new ArrayList<>();
    double[][] rows = new double[LAYERS][OUT];
    double[][] columns = new double[LAYERS][IN];
    for (int j = 0; j < LAYERS; j++) {
      double[][] information = Plain.random(OUT, IN, 90 + j);
      for (int i = 0; i < OUT; i++) {
        for (int k = 0; k < IN; k++) {
          // Some layers and outputs matter more.
          information[i][k] = (float) (Math.pow(information[i][k], 2) * (1 + i) * (1 + 10 * j));
          rows[j][i] += information[i][k];
          columns[j][k] += information[i][k];
        }
      }
      tensors.add(Plain.tensor("diag/" + name(j), information));
    }
    double[] common = new double[side == Side.OUTPUT ? OUT : IN];
    for (int j = 0; j < LAYERS; j++) {
      double[] own = side == Side.OUTPUT ? rows[j] : columns[j];
      double[] other = side == Side.OUTPUT ? columns[j] : rows[j];
      for (int i = 0; i < common.length; i++) {
        common[i] += mean(other) * own[i];
      }
    }
    List<Weights> weights = new ArrayList<>();
    for (int j = 0; j < LAYERS; j++) {
      double[] own = side == Side.OUTPUT ? rows[j] : columns[j];
      double[] other = (side == Side.OUTPUT ? columns[j] : rows[j]).clone();
      double share = mean(own);
      double least = REGULARISATION * mean(other);
      for (int i = 0; i < other.length; i++) {
        other[i] = share * (other[i] + least);
      }
      double[] regular = common.clone();
      for (int i = 0; i < regular.length; i++) {
        regular[i] += REGULARISATION * mean(common);
      }
      weights.add(
          side == Side.OUTPUT
              ? new Weights(diagonal(regular), diagonal(other))
              : new Weights(diagonal(other), diagonal(regular)));
    }
    Written written =
        cluster(
            statistics(tensors),
            side,
            opened -> new FisherMetric(opened, dev.smelt.compress.metric.Side.BOTH));
    check(written, side, weights);
  }

  private static double[][] gram(int order, long seed) {
    double[][] x = Plain.random(order, 2 * order, seed);
    return rounded(Plain.multiply(x, Plain.transpose(x)));
  }

  private static double meanDiagonal(double[][] h) {
    double sum = 0;
    for (int i = 0; i < h.length; i++) {
      sum += h[i][i];
    }
    return sum / h.length;
  }

  /** C with C Cᵀ = H + δ mean(diag H) I. */
  private static double[][] root(double[][] h) {
    double[][] c = new double[h.length][h.length];
    double damping = DAMPING * meanDiagonal(h);
    for (int i = 0; i < h.length; i++) {
      for (int k = 0; k <= i; k++) {
        double sum = h[i][k] + (i == k ? damping : 0);
        for (int m = 0; m < k; m++) {
          sum -= c[i][m] * c[k][m];
        }
        c[i][k] = i == k ? Math.sqrt(sum) : sum / c[k][k];
      }
    }
    return c;
  }

  @ParameterizedTest
  @EnumSource(Side.class)
  void gramMatricesWeightBothSides(Side side) {
    List<TestTensor> tensors = new ArrayList<>();
    List<double[][]> gradients = new ArrayList<>();
    List<double[][]> inputs = new ArrayList<>();
    for (int j = 0; j < LAYERS; j++) {
      gradients.add(rounded(Plain.scale(gram(OUT, 30 + j), 1 + 4 * j)));
      inputs.add(gram(IN, 40 + j));
      String module = "h." + j + ".m";
      tensors.add(Plain.tensor("grad_gram/" + module, gradients.getLast()));
      tensors.add(Plain.tensor("input_gram/" + module, inputs.getLast()));
    }
    List<double[][]> own = side == Side.OUTPUT ? gradients : inputs;
    List<double[][]> other = side == Side.OUTPUT ? inputs : gradients;
    double[][] common = Plain.scale(own.getFirst(), 0);
    for (int j = 0; j < LAYERS; j++) {
      common = Plain.add(common, meanDiagonal(other.get(j)), own.get(j));
    }
    List<Weights> weights = new ArrayList<>();
    for (int j = 0; j < LAYERS; j++) {
      double[][] shared = root(common);
      double[][] free = root(Plain.scale(other.get(j), meanDiagonal(own.get(j))));
      weights.add(
          side == Side.OUTPUT
              ? new Weights(Plain.transpose(shared), free)
              : new Weights(Plain.transpose(free), shared));
    }
    Written written =
        cluster(statistics(tensors), side, opened -> new KroneckerMetric(opened, DAMPING));
    check(written, side, weights);
  }

  @Test
  void whatTheDataSayNothingOfStaysOutOfClusters() {
    List<TestTensor> tensors = new ArrayList<>();
    for (int j = 0; j < LAYERS; j++) {
      double[][] information = Plain.scale(Plain.random(OUT, IN, 90 + j), 0);
      for (double[] row : information) {
        row[0] = j == 1 ? 0 : 1;
      }
      tensors.add(Plain.tensor("diag/" + name(j), information));
    }
    Path in =
        TestCheckpoints.file(
            folder.resolve("in.safetensors"),
            List.of(
                Plain.tensor(name(0), dense(0, Side.OUTPUT)),
                Plain.tensor(name(1), dense(1, Side.OUTPUT)),
                Plain.tensor(name(2), dense(2, Side.OUTPUT))));
    try (Checkpoint checkpoint = Checkpoint.open(in);
        Statistics opened = Statistics.open(statistics(tensors));
        ModelClusterer clusterer =
            new ModelClusterer(
                TestDevice.get(),
                ClusterOptions.of(Algorithm.EXACT, Integer.MAX_VALUE, MAX_ERROR),
                OutputOptions.to(folder.resolve("out.safetensors")),
                Optional.empty(),
                Optional.empty())) {
      Metric metric = new FisherMetric(opened, dev.smelt.compress.metric.Side.BOTH);
      ClusteredModels done =
          clusterer.cluster(
              List.of(new ZooModel("m", checkpoint, metric)),
              Optional.empty(),
              new LayerSelection(List.of("*"), List.of(), false),
              Grouping.SAME_PLACE,
              Panels.NONE,
              List.of(Side.OUTPUT),
              Progress.NONE);
      for (ClusterRecord cluster : done.clusters()) {
        assertThat(cluster.members()).doesNotContain("h.1.m");
      }
      TensorRecord uninformed = done.records().get(1);
      assertThat(uninformed.action()).isNotEqualTo(TensorRecord.CLUSTERED);
      assertThat(uninformed.reason()).contains("the data say nothing");
    }
  }
}
