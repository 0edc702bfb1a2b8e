package dev.smelt.gpu.gradient;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.layer.Linear;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.layer.Weights;
import dev.smelt.gpu.layer.Weights.Bias;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.TorchDevice;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sums over batches of random shapes against loops over examples, positions and elements in f64.
 * The loss of a layer with outputs y is Σ c ⊙ y with random c, so that Δ = c is known.
 */
class BatchSumsTest {

  /** f32 sums of at most a few hundred products, relative to the norm of the result. */
  private static final double TOLERANCE = 2e-6;

  private static final int ROUNDS = 60;

  @TempDir private Path folder;

  private static NDArray array(NDManager manager, double[][][] values) {
    float[] flat = new float[values.length * values[0].length * values[0][0].length];
    int at = 0;
    for (double[][] example : values) {
      for (double[] position : example) {
        for (double value : position) {
          flat[at++] = (float) value;
        }
      }
    }
    return manager.create(flat, new Shape(values.length, values[0].length, values[0][0].length));
  }

  private static Total zeros(NDManager manager, long... shape) {
    return new Total(
        manager.zeros(new Shape(shape), DataType.FLOAT64),
        manager.zeros(new Shape(1), DataType.FLOAT64));
  }

  private static void assertTotal(String what, Total total, double[] expected) {
    double[] found = total.values().toDoubleArray();
    assertThat(found).as(what).hasSameSizeAs(expected);
    double difference = 0;
    double norm = 0;
    double sum = 0;
    for (int i = 0; i < found.length; i++) {
      difference += (found[i] - expected[i]) * (found[i] - expected[i]);
      norm += expected[i] * expected[i];
      sum += found[i];
    }
    assertThat(Math.sqrt(difference)).as(what).isLessThanOrEqualTo(TOLERANCE * Math.sqrt(norm));
    double trace = total.trace().toDoubleArray()[0];
    assertThat(Math.abs(trace - sum)).as(what).isLessThanOrEqualTo(1e-5 * (1 + Math.abs(sum)));
  }

  private static double[] flat(double[][] matrix) {
    double[] flat = new double[matrix.length * matrix[0].length];
    for (int i = 0; i < matrix.length; i++) {
      System.arraycopy(matrix[i], 0, flat, i * matrix[i].length, matrix[i].length);
    }
    return flat;
  }

  private static double[][] transposed(double[][] matrix) {
    double[][] transposed = new double[matrix[0].length][matrix.length];
    for (int i = 0; i < matrix.length; i++) {
      for (int j = 0; j < matrix[i].length; j++) {
        transposed[j][i] = matrix[i][j];
      }
    }
    return transposed;
  }

  private Weights weights(NDManager manager, List<TestTensor> tensors) {
    try (Checkpoint checkpoint =
        Checkpoint.open(
            TestCheckpoints.folder(folder.resolve("m" + tensors.hashCode()), "{}", tensors))) {
      Weights weights = Weights.of(checkpoint, manager);
      for (TestTensor tensor : tensors) {
        var _ = weights.parameter(tensor.name(), tensor.shape().sizes().toArray());
      }
      weights.upload();
      return weights;
    }
  }

  private static TestTensor matrix(String name, double[][] values) {
    double[] flat = flat(values);
    float[] floats = new float[flat.length];
    for (int i = 0; i < flat.length; i++) {
      floats[i] = (float) flat[i];
    }
    dev.smelt.formats.Shape sizes = dev.smelt.formats.Shape.of(values.length, values[0].length);
    return TestTensors.f32(name, sizes, floats);
  }

  private static TestTensor zeros(String name, long... shape) {
    dev.smelt.formats.Shape sizes = dev.smelt.formats.Shape.of(shape);
    return TestTensors.f32(name, sizes, new float[(int) sizes.elements()]);
  }

  /** Backward pass of Σ c ⊙ y; gradients by name of parameter. */
  private static Map<String, ParameterGradients> backward(
      TorchDevice device, Tape tape, NDArray y, NDArray c, Batch batch) {
    Autograd.backward(y, c, false);
    Map<String, ParameterGradients> byName = new TreeMap<>();
    BatchGradients.of(tape, batch, device.functions()).forEach(g -> byName.put(g.name(), g));
    return byName;
  }

  private static ParameterGradients named(Map<String, ParameterGradients> all, String name) {
    assertThat(all).containsKey(name);
    return all.entrySet().stream()
        .filter(entry -> entry.getKey().equals(name))
        .findFirst()
        .orElseThrow()
        .getValue();
  }

  @Test
  void sumsOfLinearLayers() {
    TorchDevice device = TestDevice.get().torch();
    for (int seed = 0; seed < ROUNDS; seed++) {
      RandomLayer one = new RandomLayer(seed);
      try (NDManager manager = device.scope()) {
        boolean outIn = one.layout == Layout.OUT_IN;
        TestTensor weight = matrix("l.weight", outIn ? one.w : transposed(one.w));
        Weights weights = weights(manager, List.of(weight, zeros("l.bias", one.out)));
        Linear layer = weights.linear("l", one.in, one.out, one.layout, Bias.YES);
        Tape tape = Tape.recording();
        NDArray x = array(manager, one.x);
        NDArray y = Autograd.recorded(() -> layer.forward(x, tape));
        var found = backward(device, tape, y, array(manager, one.c), one.batch);
        assertLinear(one, manager, named(found, "l.weight"), "linear " + seed);
        assertInputs(one, manager, named(found, "l.weight"), "linear " + seed);
        assertBias(one, manager, named(found, "l.bias"), "bias " + seed);
        assertInputs(
            one,
            manager,
            BatchGradients.inputs(tape, one.batch, device.functions()).getFirst(),
            "without a backward pass " + seed);
      }
    }
  }

  private static void assertLinear(
      RandomLayer one, NDManager manager, ParameterGradients gradients, String what) {
    double[][] squares = new double[one.out][one.in];
    double[][] mean = new double[one.out][one.in];
    double[] rows = new double[one.out];
    double[] columns = new double[one.in];
    double[][] outputs = new double[one.out][one.out];
    for (int n = 0; n < one.examples; n++) {
      double[][] g = one.gradient(n);
      for (int i = 0; i < one.out; i++) {
        for (int j = 0; j < one.in; j++) {
          squares[i][j] += g[i][j] * g[i][j];
          rows[i] += g[i][j] * g[i][j];
          columns[j] += g[i][j] * g[i][j];
          mean[i][j] += g[i][j];
        }
      }
      for (int t = 0; t < one.lengths[n]; t++) {
        addOuter(outputs, one.c[n][t]);
      }
    }
    boolean outIn = one.layout == Layout.OUT_IN;
    long[] stored = outIn ? new long[] {one.out, one.in} : new long[] {one.in, one.out};
    Total total = zeros(manager, stored);
    gradients.addSquares(manager, total);
    assertTotal(what, total, flat(outIn ? squares : transposed(squares)));
    total = zeros(manager, stored);
    gradients.addSum(manager, total);
    assertTotal(what, total, flat(outIn ? mean : transposed(mean)));
    total = zeros(manager, one.out);
    gradients.addRows(manager, total);
    assertTotal(what, total, rows);
    total = zeros(manager, one.in);
    gradients.addColumns(manager, total);
    assertTotal(what, total, columns);
    total = zeros(manager, one.out, one.out);
    gradients.addOutputGram(manager, total);
    assertTotal(what, total, flat(outputs));
  }

  /** What needs no backward pass. */
  private static void assertInputs(
      RandomLayer one, NDManager manager, ParameterGradients gradients, String what) {
    double[][] gram = new double[one.in][one.in];
    for (int n = 0; n < one.examples; n++) {
      for (int t = 0; t < one.lengths[n]; t++) {
        addOuter(gram, one.x[n][t]);
      }
    }
    Total total = zeros(manager, one.in, one.in);
    gradients.addInputGram(manager, total);
    assertTotal(what, total, flat(gram));
    double[] norms = new double[one.in];
    for (int j = 0; j < one.in; j++) {
      norms[j] = gram[j][j];
    }
    total = zeros(manager, one.in);
    gradients.addInputNorms(manager, total);
    assertTotal(what, total, norms);
    boolean outIn = gradients.layout() == Layout.OUT_IN;
    double[][] contributions = outIn ? one.contributions() : transposed(one.contributions());
    total = zeros(manager, contributions.length, contributions[0].length);
    gradients.addContributions(manager, total);
    assertTotal(what, total, flat(contributions));
  }

  private static void addOuter(double[][] sum, double[] v) {
    for (int i = 0; i < v.length; i++) {
      for (int j = 0; j < v.length; j++) {
        sum[i][j] += v[i] * v[j];
      }
    }
  }

  private static void assertBias(
      RandomLayer one, NDManager manager, ParameterGradients gradients, String what) {
    double[] squares = new double[one.out];
    double[] mean = new double[one.out];
    for (int n = 0; n < one.examples; n++) {
      for (int i = 0; i < one.out; i++) {
        double sum = 0;
        for (int t = 0; t < one.lengths[n]; t++) {
          sum += one.c[n][t][i];
        }
        squares[i] += sum * sum;
        mean[i] += sum;
      }
    }
    Total total = zeros(manager, one.out);
    gradients.addSquares(manager, total);
    assertTotal(what, total, squares);
    total = zeros(manager, one.out);
    gradients.addSum(manager, total);
    assertTotal(what, total, mean);
  }

  /** A table [out, in] whose rows are looked up, and which is a linear map as well if tied. */
  private void assertTables(boolean tied) {
    TorchDevice device = TestDevice.get().torch();
    for (int seed = 0; seed < ROUNDS; seed++) {
      RandomLayer one = new RandomLayer(seed);
      int[] ids = one.batch.tokens().ids();
      double[][][] d = one.values(one.in, true);
      try (NDManager manager = device.scope()) {
        Weights weights = weights(manager, List.of(matrix("e.weight", one.w)));
        Tape tape = Tape.recording();
        NDArray x = array(manager, one.x);
        NDArray y =
            Autograd.recorded(
                () -> {
                  NDArray rows =
                      weights
                          .embedding("e", one.out, one.in)
                          .forward(manager, ids, one.examples, one.length, tape)
                          .mul(array(manager, d))
                          .sum();
                  return tied
                      ? rows.add(
                          weights
                              .linear("e", one.in, one.out, Layout.OUT_IN, Bias.NO)
                              .forward(x, tape)
                              .mul(array(manager, one.c))
                              .sum())
                      : rows;
                });
        var found = backward(device, tape, y, manager.create(1f), one.batch);
        double[][] squares = new double[one.out][one.in];
        double[][] mean = new double[one.out][one.in];
        double[] rows = new double[one.out];
        double[] columns = new double[one.in];
        for (int n = 0; n < one.examples; n++) {
          double[][] g = tied ? one.gradient(n) : new double[one.out][one.in];
          for (int t = 0; t < one.lengths[n]; t++) {
            for (int j = 0; j < one.in; j++) {
              g[ids[n * one.length + t]][j] += d[n][t][j];
            }
          }
          for (int i = 0; i < one.out; i++) {
            for (int j = 0; j < one.in; j++) {
              squares[i][j] += g[i][j] * g[i][j];
              rows[i] += g[i][j] * g[i][j];
              columns[j] += g[i][j] * g[i][j];
              mean[i][j] += g[i][j];
            }
          }
        }
        String what = (tied ? "tied " : "table ") + seed;
        ParameterGradients gradients = named(found, "e.weight");
        Total total = zeros(manager, one.out, one.in);
        gradients.addSquares(manager, total);
        assertTotal(what, total, flat(squares));
        total = zeros(manager, one.out, one.in);
        gradients.addSum(manager, total);
        assertTotal(what, total, flat(mean));
        total = zeros(manager, one.out);
        gradients.addRows(manager, total);
        assertTotal(what, total, rows);
        total = zeros(manager, one.in);
        gradients.addColumns(manager, total);
        assertTotal(what, total, columns);
        if (tied) {
          assertInputs(one, manager, gradients, what);
        }
      }
    }
  }

  /** Shares of outputs are the same for weights and inputs of any size, down to subnormal ones. */
  @Test
  void contributionsOfTinyAndHugeNumbers() {
    float least = Float.MIN_VALUE;
    TestTensor weight =
        TestTensors.f32(
            "l.weight",
            dev.smelt.formats.Shape.of(3, 2),
            new float[] {3 * least, least, 1e30f, 3e30f, 1, least});
    try (NDManager manager = TestDevice.get().torch().scope()) {
      RandomLayer any = new RandomLayer(0);
      Weights weights = weights(manager, List.of(weight));
      Tape tape = Tape.recording();
      NDArray x =
          manager.create(
              new float[] {1e-39f, 1e-39f, 1e30f, 1e30f, 0, 0, 0, 1}, new Shape(1, 4, 2));
      var _ = weights.linear("l", 2, 3, Layout.OUT_IN, Bias.NO).forward(x, tape);
      Total total = zeros(manager, 3, 2);
      BatchGradients.inputs(tape, any.batch, TestDevice.get().torch().functions())
          .getFirst()
          .addContributions(manager, total);
      double[] found = total.values().toDoubleArray();
      // The last share is of an output that is below 1e-30 of what it could be: it counts as 0.
      double[] expected = {1.5, 0.5 + 1, 0.5, 1.5 + 1, 2, 0};
      for (int i = 0; i < expected.length; i++) {
        assertThat(found[i]).as("element " + i).isCloseTo(expected[i], within(1e-6));
      }
    }
  }

  @Test
  void sumsOfTables() {
    assertTables(false);
  }

  @Test
  void sumsOfTablesThatAreLinearLayersToo() {
    assertTables(true);
  }

  @Test
  void sumsOfNorms() {
    TorchDevice device = TestDevice.get().torch();
    for (int seed = 0; seed < ROUNDS; seed++) {
      RandomLayer one = new RandomLayer(seed);
      try (NDManager manager = device.scope()) {
        Weights weights =
            weights(manager, List.of(zeros("n.weight", one.out), zeros("n.bias", one.out)));
        double[][][] x = one.values(one.out, false);
        Tape tape = Tape.recording();
        NDArray y =
            Autograd.recorded(
                () -> weights.layerNorm("n", one.out, 0.5).forward(array(manager, x), tape));
        var found = backward(device, tape, y, array(manager, one.c), one.batch);
        double[] squares = new double[one.out];
        for (int n = 0; n < one.examples; n++) {
          double[] g = new double[one.out];
          for (int t = 0; t < one.lengths[n]; t++) {
            double[] standardized = standardized(x[n][t], 0.5);
            for (int i = 0; i < one.out; i++) {
              g[i] += one.c[n][t][i] * standardized[i];
            }
          }
          for (int i = 0; i < one.out; i++) {
            squares[i] += g[i] * g[i];
          }
        }
        Total total = zeros(manager, one.out);
        named(found, "n.weight").addSquares(manager, total);
        // A width of 1 standardises to 0.
        assertTotal("norm " + seed, total, squares);
        assertBias(one, manager, named(found, "n.bias"), "shift " + seed);
      }
    }
  }

  private static double[] standardized(double[] x, double epsilon) {
    double mean = 0;
    for (double value : x) {
      mean += value / x.length;
    }
    double variance = 0;
    for (double value : x) {
      variance += (value - mean) * (value - mean) / x.length;
    }
    double[] standardized = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      standardized[i] = (x[i] - mean) / Math.sqrt(variance + epsilon);
    }
    return standardized;
  }
}
