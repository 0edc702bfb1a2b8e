package dev.smelt.compress.refine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Svd;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.PairedInputs;
import dev.smelt.gpu.statistics.PairedInputs.Grams;
import dev.smelt.gpu.statistics.PairedInputs.Pair;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RefinementTest {

  private static final Path SOURCE = Path.of(System.getProperty("smelt.testdata"), "gpt2-drama");
  private static final Path TEXT =
      Path.of(System.getProperty("smelt.testdata"), "text", "drama.train.txt");
  private static final RefineOptions OPTIONS = new RefineOptions(1e-3, 4);

  /** Factors in f32 and forward passes in f32, relative to the norms of what is subtracted. */
  private static final double TOLERANCE = 2e-4;

  @TempDir private Path folder;

  private Checkpoint dense;
  private Network original;
  private Network compressed;
  private Dataset data;
  private final List<FactoredMatrix> matrices = new ArrayList<>();

  @BeforeEach
  void factorize() {
    dense = Checkpoint.open(SOURCE);
    original = Network.load(dense, TestDevice.get());
    try (Checkpoint factors = Checkpoint.open(halved())) {
      compressed = Network.load(factors, TestDevice.get());
    }
    try (Tokenizer tokenizer = Tokenizers.forCheckpoint(dense)) {
      data =
          Dataset.read(
              TEXT, tokenizer, original.input(), DataOptions.ALL.withSeqLen(32).withSamples(8));
    }
  }

  /** The matrices of two blocks as factors of about half their size, by truncated SVD. */
  private Path halved() {
    List<TestTensor> tensors = new ArrayList<>();
    for (TensorView tensor : dense.tensors()) {
      String name = tensor.name();
      if (!name.matches(".*\\.h\\.[01]\\..*\\.c_.*")) {
        tensors.add(TestTensors.f32(name, tensor.shape(), tensor.toFloats()));
      } else if (name.endsWith(".bias")) {
        tensors.add(
            TestTensors.f32(
                LowRank.bias(name.replace(".bias", "")), tensor.shape(), tensor.toFloats()));
      } else {
        tensors.addAll(factors(name.replace(".weight", "")));
      }
    }
    String config = dense.config().orElseThrow().toJson();
    return TestCheckpoints.folder(folder.resolve("small"), config, tensors);
  }

  private List<TestTensor> factors(String module) {
    matrices.add(matrix(module));
    double[][] w = weight(module + ".weight");
    int rank = w.length * w[0].length / (2 * (w.length + w[0].length));
    try (LinearAlgebra algebra = TestDevice.get().linearAlgebra()) {
      Svd svd = algebra.svd(algebra.matrix(w.length, w[0].length, flat(w)));
      Matrix a = algebra.leadingColumns(algebra.scaleColumns(svd.u(), svd.s()), rank);
      Matrix b = algebra.transpose(algebra.leadingColumns(algebra.transpose(svd.vt()), rank));
      return List.of(
          TestTensors.f32(LowRank.factorA(module), Shape.of(w.length, rank), a.toFloats()),
          TestTensors.f32(LowRank.factorB(module), Shape.of(rank, w[0].length), b.toFloats()));
    }
  }

  @AfterEach
  void close() {
    original.close();
    compressed.close();
    dense.close();
  }

  private FactoredMatrix matrix(String module) {
    String name = module + ".weight";
    return new FactoredMatrix(
        name,
        LowRank.factorA(module),
        LowRank.factorB(module),
        () -> flat(weight(name)),
        Optional.empty());
  }

  /** GPT-2 stores [in, out]. */
  private double[][] weight(String name) {
    return Plain.transpose(Plain.rows(dense.tensor(name)));
  }

  private static double[] flat(double[][] rows) {
    double[] flat = new double[rows.length * rows[0].length];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(rows[i], 0, flat, i * rows[i].length, rows[i].length);
    }
    return flat;
  }

  private List<Refined> refine(List<FactoredMatrix> chosen) {
    return Refinement.refine(
        original, compressed, data, chosen, TestDevice.get(), OPTIONS, Progress.NONE);
  }

  private double loss(Network network) {
    return Evaluator.evaluate(network, data, 4, Progress.NONE).loss();
  }

  private double[][] values(String parameter) {
    try (Scratch scratch = Storage.local().scratch(folder.resolve("out"))) {
      return Plain.rows(compressed.values(parameter, scratch));
    }
  }

  /**
   * In the end (W C − A B Ã) Bᵀ = 0 must hold for every layer at once, with the inputs that the
   * finished network has: so every layer was fitted after those before it, to what they are now.
   */
  @Test
  void fitsEveryLayerToTheInputsOfTheFinishedNetwork() {
    double plain = loss(compressed) - loss(original);
    List<Refined> refined = refine(matrices.reversed());
    assertThat(loss(compressed) - loss(original)).isLessThan(plain / 3);
    assertThat(refined).hasSameSizeAs(matrices);
    assertThat(refined.getFirst().matrix().original()).contains("h.0.attn.c_attn");
    List<Pair> pairs = matrices.stream().map(m -> new Pair(m.original(), m.b())).toList();
    Map<Pair, Grams> grams =
        PairedInputs.collect(original, compressed, data, pairs, 4, Progress.NONE);
    for (Refined one : refined) {
      FactoredMatrix matrix = one.matrix();
      assertThat(one.relativeError()).isBetween(1e-6, 0.9);
      assertThat(one.damping()).isEqualTo(OPTIONS.damping());
      Grams found = grams.getOrDefault(new Pair(matrix.original(), matrix.b()), empty());
      assertOrthogonal(matrix, found);
    }
  }

  private static Grams empty() {
    return new Grams(0, new double[0], new double[0]);
  }

  private void assertOrthogonal(FactoredMatrix matrix, Grams grams) {
    double[][] b = values(matrix.b());
    double[][] product = Plain.multiply(values(matrix.a()), b);
    double trace = 0;
    for (int i = 0; i < grams.size(); i++) {
      trace += grams.gram()[i * grams.size() + i];
    }
    double lambda = OPTIONS.damping() * trace / grams.size();
    double[] weights = matrix.weight().get();
    double[][] w = new double[product.length][grams.size()];
    for (int i = 0; i < w.length; i++) {
      System.arraycopy(weights, i * grams.size(), w[i], 0, grams.size());
    }
    double[][] wanted = Plain.multiply(w, damped(grams.cross(), lambda, grams.size()));
    double[][] given = Plain.multiply(product, damped(grams.gram(), lambda, grams.size()));
    double[][] difference = Plain.multiply(Plain.add(wanted, -1, given), Plain.transpose(b));
    double[][] scale = Plain.multiply(wanted, Plain.transpose(b));
    assertThat(norm(difference)).as(matrix.original()).isLessThan(TOLERANCE * norm(scale));
  }

  private static double[][] damped(double[] gram, double lambda, int n) {
    double[][] rows = new double[n][n];
    for (int i = 0; i < n; i++) {
      System.arraycopy(gram, i * n, rows[i], 0, n);
      rows[i][i] += lambda;
    }
    return rows;
  }

  private static double norm(double[][] matrix) {
    double sum = 0;
    for (double[] row : matrix) {
      for (double value : row) {
        sum += value * value;
      }
    }
    return Math.sqrt(sum);
  }

  @Test
  void findsTheSameAgainAndLeavesTheRestAlone() {
    var _ = refine(matrices.subList(0, 3));
    double once = loss(compressed);
    double[][] untouched = values(matrices.getLast().a());
    var _ = refine(matrices.subList(0, 3));
    assertThat(loss(compressed)).isEqualTo(once);
    assertThat(values(matrices.getLast().a())).isDeepEqualTo(untouched);
  }

  @Test
  void refusesWhatDoesNotFit() {
    FactoredMatrix first = matrices.getFirst();
    Supplier<double[]> tooShort = () -> new double[7];
    assertThatThrownBy(
            () ->
                refine(
                    List.of(
                        new FactoredMatrix(
                            first.original(), first.a(), first.b(), tooShort, Optional.empty()))))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining(first.a());
    assertThatThrownBy(
            () ->
                new FactoredMatrix(
                    first.original(),
                    "smelt.basis.0",
                    first.b(),
                    first.weight(),
                    first.outputGram()))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("smelt.basis.0");
    assertThatThrownBy(() -> new RefineOptions(0, 1)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> new RefineOptions(0.1, 0)).isInstanceOf(UsageException.class);
  }
}
