package dev.smelt.gpu.statistics;

import dev.smelt.gpu.TestData;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.PlainFisher;
import dev.smelt.gpu.plain.Shared;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Statistics of factors that several modules share: gradients of all uses add up first. */
class SharedFisherTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);
  private static final int RANK = 3;

  @TempDir private Path folder;

  /** Bases across layers, of two modules with the same input, and of a table and a layer. */
  private static Shared shared() {
    return new Shared(TinyModels.gpt2())
        .a(0, "transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_attn")
        .b(1, "transformer.wpe", "transformer.h.0.mlp.c_fc", "transformer.h.1.mlp.c_fc")
        .a(2, "transformer.h.0.mlp.c_proj", "transformer.h.1.attn.c_proj");
  }

  private void assertDifferences(Shared shared, List<Example> examples) {
    var _ = Differences.assertDiagonal(folder, shared.stored(), shared::dense, examples);
  }

  @Test
  void agreesWithDifferences() {
    assertDifferences(shared(), WINDOWS);
    String layers = "bert.encoder.layer.";
    assertDifferences(
        new Shared(TinyModels.bert())
            .a(0, layers + "0.attention.self.key", "bert.pooler.dense")
            .b(1, "classifier", layers + "1.intermediate.dense")
            .b(2, layers + "0.attention.self.query", layers + "0.attention.self.value"),
        TestData.labelled(4, 6));
  }

  @Test
  void sumsRowsAndColumns() {
    TinyModel stored = shared().stored();
    Map<String, double[]> diagonal = PlainFisher.empirical(stored, shared()::dense, WINDOWS);
    Map<String, double[]> found =
        Differences.estimate(
            folder, stored, WINDOWS, 2, EnumSet.of(Statistic.ROWS, Statistic.COLS));
    for (String name : List.of("smelt.basis.0", "smelt.basis.1", "smelt.basis.2")) {
      int columns = (int) stored.tensor(name).shape().size(1);
      Differences.assertLines(found, diagonal, name, columns, false);
    }
  }

  /** The mean gradient of a basis A is Σ dW Bᵀ over its modules, with dW of the dense matrices. */
  @Test
  void meansAddUpOverModules() {
    TinyModel stored = shared().stored();
    Set<Statistic> mean = EnumSet.of(Statistic.MEAN_GRADIENT);
    Map<String, double[]> dense =
        Differences.estimate(folder, shared().dense(stored), WINDOWS, 3, mean);
    TinyModel.Tensor basis = stored.tensor("smelt.basis.0");
    int out = (int) basis.shape().size(0);
    double[] expected = new double[out * RANK];
    for (String layer : List.of("transformer.h.0.attn.c_attn", "transformer.h.1.attn.c_attn")) {
      double[] dw = Differences.get(dense, "mean_gradient/" + layer + ".weight");
      double[] b = stored.tensor(layer + ".BLinear.weight").values();
      int in = b.length / RANK;
      for (int i = 0; i < out; i++) {
        for (int k = 0; k < RANK; k++) {
          for (int j = 0; j < in; j++) {
            expected[i * RANK + k] += dw[j * out + i] * b[k * in + j];
          }
        }
      }
    }
    Map<String, double[]> found = Differences.estimate(folder, stored, WINDOWS, 3, mean);
    Differences.assertClose(
        "A", Differences.get(found, "mean_gradient/smelt.basis.0"), expected, 0);
  }
}
