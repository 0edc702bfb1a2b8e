package dev.smelt.gpu.statistics;

import dev.smelt.gpu.TestData;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.plain.Shared;
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

/** Statistics of a matrix and of factors that change it: each has its own. */
class ChangedFisherTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7);
  private static final String TABLE = "transformer.wte";
  private static final String FIRST = "transformer.h.0.mlp.c_fc";
  private static final String SECOND = "transformer.h.1.mlp.c_fc";

  @TempDir private Path folder;

  /** A tied table, and a basis of a module that is a change and one that is none. */
  private static Shared gpt2() {
    return new Shared(TinyModels.gpt2()).own(TABLE).b(0, FIRST, SECOND).delta(TABLE, SECOND);
  }

  private void assertDifferences(Shared shared, List<Example> examples) {
    var _ = Differences.assertDiagonal(folder, shared.stored(), shared::dense, examples);
  }

  @Test
  void agreesWithDifferences() {
    assertDifferences(gpt2(), WINDOWS);
    String patches = "vit.embeddings.patch_embeddings.projection";
    assertDifferences(
        new Shared(TinyEncoders.vit()).own(patches, "classifier").delta(patches, "classifier"),
        TinyEncoders.images(2));
  }

  /** Its gradients are those of the dense matrix that it is a summand of. */
  @Test
  void theMatrixHasTheStatisticsOfTheDenseOne() {
    TinyModel stored = gpt2().stored();
    // Of so few positions there is no entropy.
    Set<Statistic> all = EnumSet.complementOf(EnumSet.of(Statistic.ENTROPY));
    Map<String, double[]> dense =
        Differences.estimate(folder, gpt2().dense(stored), WINDOWS, 3, all);
    Map<String, double[]> found = Differences.estimate(folder, stored, WINDOWS, 3, all);
    for (String name : List.of(TABLE, SECOND)) {
      for (String kind : List.of("rows", "cols", "input_gram", "grad_gram", "input_norms")) {
        assertSame(dense, found, kind + "/" + name);
      }
      assertSame(dense, found, "diag/" + name + ".weight");
      assertSame(dense, found, "mean_gradient/" + name + ".weight");
    }
    assertSame(dense, found, "diag/" + SECOND + ".bias");
  }

  private static void assertSame(
      Map<String, double[]> dense, Map<String, double[]> found, String name) {
    Differences.assertClose(name, Differences.get(found, name), Differences.get(dense, name), 0);
  }
}
