package dev.smelt.gpu.statistics;

import dev.smelt.gpu.TestData;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.Compressed;
import dev.smelt.gpu.plain.PlainFisher;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Statistics of embeddings that are stored as factors. */
class FactoredTableFisherTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);
  private static final int VOCABULARY = TinyModels.VOCABULARY;
  private static final int WIDTH = 8;
  private static final int RANK = 3;
  private static final String TABLE = "transformer.wte";

  @TempDir private Path folder;

  private void assertDifferences(TinyModel dense, List<Example> examples, String... tables) {
    Compressed factors = Compressed.factors(dense, tables);
    var _ = Differences.assertDiagonal(folder, factors.stored(), factors::dense, examples);
  }

  @Test
  void agreesWithDifferences() {
    assertDifferences(TinyModels.gpt2(), WINDOWS, TABLE, "transformer.wpe");
    assertDifferences(TinyModels.gpt2Classifier(), TestData.labelled(4, 6), TABLE);
    assertDifferences(
        TinyEncoders.bertMasked(),
        TestData.masked(1, 7, 3),
        "bert.embeddings.word_embeddings",
        "bert.embeddings.position_embeddings");
  }

  /** Of a factor that is used in both directions, and of one that is looked up and multiplied. */
  @Test
  void sumsRowsAndColumns() {
    Compressed factors = Compressed.factors(TinyModels.gpt2(), TABLE, "transformer.wpe");
    TinyModel stored = factors.stored();
    Map<String, double[]> diagonal = PlainFisher.empirical(stored, factors::dense, WINDOWS);
    Map<String, double[]> found =
        Differences.estimate(
            folder, stored, WINDOWS, 2, EnumSet.of(Statistic.ROWS, Statistic.COLS));
    Differences.assertLines(found, diagonal, TABLE + ".ALinear.weight", RANK, false);
    Differences.assertLines(found, diagonal, TABLE + ".BLinear.weight", WIDTH, false);
    // The positions' B multiplies from the right only: its stored rows are inputs.
    Differences.assertLines(found, diagonal, "transformer.wpe.BLinear.weight", WIDTH, true);
    Differences.assertLines(found, diagonal, "transformer.wpe.ALinear.weight", RANK, false);
  }

  /** dA = dW Bᵀ and dB = Aᵀ dW, for the mean gradient dW of the table they make. */
  @Test
  void followsTheChainRule() {
    Compressed factors = Compressed.factors(TinyModels.gpt2(), TABLE);
    TinyModel stored = factors.stored();
    Set<Statistic> mean = EnumSet.of(Statistic.MEAN_GRADIENT);
    double[] dw =
        Differences.get(
            Differences.estimate(folder, factors.dense(stored), WINDOWS, 3, mean),
            "mean_gradient/" + TABLE + ".weight");
    TinyModel.Tensor a = stored.tensor(TABLE + ".ALinear.weight");
    TinyModel.Tensor b = stored.tensor(TABLE + ".BLinear.weight");
    double[] da = new double[VOCABULARY * RANK];
    double[] db = new double[RANK * WIDTH];
    for (int i = 0; i < VOCABULARY; i++) {
      for (int j = 0; j < WIDTH; j++) {
        for (int k = 0; k < RANK; k++) {
          da[i * RANK + k] += dw[i * WIDTH + j] * b.values()[k * WIDTH + j];
          db[k * WIDTH + j] += a.values()[i * RANK + k] * dw[i * WIDTH + j];
        }
      }
    }
    Map<String, double[]> found = Differences.estimate(folder, stored, WINDOWS, 3, mean);
    Differences.assertClose(
        "A", Differences.get(found, "mean_gradient/" + TABLE + ".ALinear.weight"), da, 0);
    Differences.assertClose(
        "B", Differences.get(found, "mean_gradient/" + TABLE + ".BLinear.weight"), db, 0);
  }

  /** The head's inputs are B's, its outputs A's, as they are of the table they make. */
  @Test
  void gramsAreThoseOfTheHead() {
    Compressed factors = Compressed.factors(TinyModels.gpt2(), TABLE);
    Set<Statistic> grams = EnumSet.of(Statistic.INPUT_GRAM, Statistic.GRAD_GRAM);
    Map<String, double[]> dense =
        Differences.estimate(folder, factors.dense(factors.stored()), WINDOWS, 3, grams);
    Map<String, double[]> found = Differences.estimate(folder, factors.stored(), WINDOWS, 3, grams);
    Differences.assertClose(
        "inputs",
        Differences.get(found, "input_gram/" + TABLE + ".BLinear"),
        Differences.get(dense, "input_gram/" + TABLE),
        0);
    Differences.assertClose(
        "outputs",
        Differences.get(found, "grad_gram/" + TABLE + ".ALinear"),
        Differences.get(dense, "grad_gram/" + TABLE),
        0);
  }
}
