package dev.smelt.gpu.statistics;

import dev.smelt.gpu.TestData;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.Cut;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Statistics of matrices in parts, which may share bases. */
class PanelsFisherTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);
  private static final int RANK = 3;
  private static final String C_FC = "transformer.h.0.mlp.c_fc";
  private static final String C_PROJ = "transformer.h.1.mlp.c_proj";

  @TempDir private Path folder;

  /** A basis of panels of one matrix, one of panels of two, one of rows with the same input. */
  private static Cut cut() {
    return new Cut(TinyModels.gpt2())
        .columns(C_FC, "0 4 4 1 A0", "4 3 3 1 A0", "7 1 1 1 dense")
        .columns(C_PROJ, "2 2 4 3 own", "0 2 4 3 A3")
        .columns("transformer.h.0.attn.c_proj", "0 4 4 1 A3", "4 4 4 1 dense")
        .rows("transformer.h.1.attn.c_attn", "0 9 9 1 B1", "9 15 15 1 B1");
  }

  @Test
  void agreesWithDifferences() {
    TinyModel stored = cut().stored();
    Map<String, double[]> expected =
        Differences.assertDiagonal(folder, stored, cut()::dense, WINDOWS);
    assertLines(stored, expected);
  }

  private void assertLines(TinyModel stored, Map<String, double[]> diagonal) {
    Map<String, double[]> found =
        Differences.estimate(
            folder, stored, WINDOWS, 2, EnumSet.of(Statistic.ROWS, Statistic.COLS));
    for (String name :
        List.of("smelt.basis.0", "smelt.basis.3", "smelt.basis.1", C_PROJ + ".p0.BLinear.weight")) {
      int columns = (int) stored.tensor(name).shape().size(1);
      Differences.assertLines(found, diagonal, name, columns, false);
    }
  }

  /** The mean gradient of a basis A is Σ dW_p B_pᵀ over its parts, dW_p columns of a dense dW. */
  @Test
  void meansAddUpOverParts() {
    TinyModel stored = cut().stored();
    Set<Statistic> mean = EnumSet.of(Statistic.MEAN_GRADIENT);
    Map<String, double[]> dense =
        Differences.estimate(folder, cut().dense(stored), WINDOWS, 3, mean);
    double[] dw = Differences.get(dense, "mean_gradient/" + C_FC + ".weight");
    int out = (int) stored.tensor("smelt.basis.0").shape().size(0);
    double[] expected = new double[out * RANK];
    int[] firsts = {0, 4};
    for (int p = 0; p < firsts.length; p++) {
      double[] b = stored.tensor(C_FC + ".p" + p + ".BLinear.weight").values();
      int width = b.length / RANK;
      for (int i = 0; i < out; i++) {
        for (int k = 0; k < RANK; k++) {
          for (int j = 0; j < width; j++) {
            expected[i * RANK + k] += dw[(firsts[p] + j) * out + i] * b[k * width + j];
          }
        }
      }
    }
    Map<String, double[]> found = Differences.estimate(folder, stored, WINDOWS, 3, mean);
    Differences.assertClose(
        "A", Differences.get(found, "mean_gradient/smelt.basis.0"), expected, 0);
  }
}
