package dev.smelt.compress.structure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.prune.InputGram;
import dev.smelt.compress.prune.Magnitude;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.gpu.plain.TinyModel.Tensor;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against least squares by Gaussian elimination. */
class CompensationTest {

  private static final double DAMPING = 0.01;

  /** Rounding of results to f32. */
  private static final double F32 = 3e-6;

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({"gpt2, 40", "llama, 40", "bert, 3", "phi3, 4", "distilbert, 40"})
  void neuronsAreScoredByWhatTheirRemovalCosts(String name, int examples) {
    Families whole = Families.of(name);
    GramFile grams = grams(whole, whole.down(), examples);
    withPruner(
        whole,
        grams,
        StructurePattern.NEURONS,
        pruner -> {
          for (int block = 0; block < Families.LAYERS; block++) {
            double[][] w = matrix(whole, block, whole.down());
            double[][] h = damped(grams.of(module(whole, block, whole.down())));
            for (int unit = 0; unit < whole.inner(); unit++) {
              assertThat(pruner.scores().get(block)[unit])
                  .isCloseTo(
                      PlainLeastSquares.cost(w, h, List.of(unit)) / PlainLeastSquares.energy(w, h),
                      within(1e-9));
            }
          }
        });
  }

  /** ‖W_S‖² / [H⁻¹]_SS, the published formula, for single inputs; as a share of all. */
  @Test
  void aSingleInputIsScoredAsOfOptimalBrainSurgeon() {
    Families whole = Families.of("gpt2");
    GramFile grams = grams(whole, whole.down(), 30);
    withPruner(
        whole,
        grams,
        StructurePattern.NEURONS,
        pruner -> {
          double[][] w = matrix(whole, 1, whole.down());
          double[][] h = damped(grams.of(module(whole, 1, whole.down())));
          for (int k = 0; k < h.length; k++) {
            double[] unit = new double[h.length];
            unit[k] = 1;
            double inverse = PlainLeastSquares.solve(h, unit)[k];
            double squares = 0;
            for (double[] row : w) {
              squares += row[k] * row[k];
            }
            assertThat(pruner.scores().get(1)[k])
                .isCloseTo(squares / inverse / PlainLeastSquares.energy(w, h), within(1e-9));
          }
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "llama", "vit", "gemma2"})
  void headsAreScoredByWhatTheirRemovalCosts(String name) {
    Families whole = Families.of(name);
    GramFile grams = grams(whole, whole.out(), 50);
    withPruner(
        whole,
        grams,
        StructurePattern.HEADS,
        pruner -> {
          for (int block = 0; block < Families.LAYERS; block++) {
            double[][] w = matrix(whole, block, whole.out());
            double[][] h = damped(grams.of(module(whole, block, whole.out())));
            for (int head = 0; head < 2; head++) {
              int size = h.length / 2;
              List<Integer> own = IntStream.range(head * size, (head + 1) * size).boxed().toList();
              assertThat(pruner.scores().get(block)[head])
                  .isCloseTo(
                      PlainLeastSquares.cost(w, h, own) / PlainLeastSquares.energy(w, h),
                      within(1e-9));
            }
          }
        });
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2, NEURONS, 40", "gpt2, HEADS, 40", "llama, NEURONS, 3", "llama, HEADS, 40",
    "bert, NEURONS, 40", "bert, HEADS, 2", "phi3, NEURONS, 40", "gpt_neox, NEURONS, 40"
  })
  void whatStaysIsFittedAndBetterThanWhatItWas(
      String name, StructurePattern pattern, int examples) {
    Families whole = Families.of(name);
    String consumer = pattern == StructurePattern.NEURONS ? whole.down() : whole.out();
    GramFile grams = grams(whole, consumer, examples);
    withPruner(
        whole,
        grams,
        pattern,
        pruner -> {
          try (ShrunkModel shrunk = pruner.shrink(0.5)) {
            for (int block = 0; block < Families.LAYERS; block++) {
              String module = module(whole, block, consumer);
              double[][] w = matrix(whole, block, consumer);
              double[][] a = grams.of(module);
              List<Integer> gone = inputs(shrunk.removals().get(block), a.length);
              List<Integer> kept =
                  IntStream.range(0, a.length).boxed().filter(k -> !gone.contains(k)).toList();
              double[][] fitted = PlainLeastSquares.fitted(w, damped(a), kept);
              double[] found = shrunk.tensor(module + ".weight").toDoubles();
              double largest = 0;
              for (double[] row : w) {
                for (double value : row) {
                  largest = Math.max(largest, Math.abs(value));
                }
              }
              double[][] difference = new double[w.length][a.length];
              double[][] zeroed = new double[w.length][a.length];
              for (int i = 0; i < w.length; i++) {
                for (int k : gone) {
                  difference[i][k] = w[i][k];
                  zeroed[i][k] = w[i][k];
                }
                for (int k = 0; k < kept.size(); k++) {
                  double value = found[whole.transposed() ? k * w.length + i : i * kept.size() + k];
                  assertThat(value).isCloseTo(fitted[i][kept.get(k)], within(100 * F32 * largest));
                  difference[i][kept.get(k)] = w[i][kept.get(k)] - value;
                }
              }
              double error =
                  Math.sqrt(
                      PlainLeastSquares.energy(difference, a) / PlainLeastSquares.energy(w, a));
              assertThat(PlainLeastSquares.energy(difference, damped(a)))
                  .isLessThan(PlainLeastSquares.energy(zeroed, damped(a)));
              TensorRecord record = record(shrunk, module + ".weight");
              assertThat(record.action()).isEqualTo("shrunk");
              assertThat(record.reason()).endsWith("left out, the others refitted");
              assertThat(record.weightedRelativeError()).isCloseTo(error, within(1e-6));
            }
          }
        });
  }

  @Test
  void inputsThatAreAlwaysZeroChangeNothing() {
    Families whole = Families.of("gpt2");
    GramFile grams = new GramFile();
    for (int block = 0; block < Families.LAYERS; block++) {
      grams.add(module(whole, block, whole.down()), whole.inner(), 0);
    }
    withPruner(
        whole,
        grams,
        StructurePattern.NEURONS,
        pruner -> {
          try (ShrunkModel shrunk = pruner.shrink(0.5)) {
            String name = whole.name(0, whole.down());
            double[] found = shrunk.tensor(name).toDoubles();
            List<Integer> gone = shrunk.removals().getFirst().gone();
            double[][] w = matrix(whole, 0, whole.down());
            int place = 0;
            for (int k = 0; k < whole.inner(); k++) {
              if (!gone.contains(k)) {
                for (double[] row : w) {
                  assertThat(found[place++]).isEqualTo(row[k]);
                }
              }
            }
            assertThat(record(shrunk, name).weightedRelativeError()).isZero();
          }
        });
  }

  @Test
  void aMissingGramMatrixIsRefused() {
    Families whole = Families.of("gpt2");
    GramFile grams = new GramFile().add(module(whole, 0, whole.down()), whole.inner(), 10);
    assertThatThrownBy(() -> withPruner(whole, grams, StructurePattern.NEURONS, _ -> {}))
        .isInstanceOf(NotFoundException.class)
        .hasMessageContaining("input_gram/transformer.h.1.mlp.c_proj");
  }

  @Test
  void dampingThatIsNotPositiveIsRefused() {
    Families whole = Families.of("gpt2");
    Path file = grams(whole, whole.down(), 10).write(folder.resolve("grams.safetensors"));
    try (Statistics statistics = Statistics.open(file)) {
      for (double damping : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
        assertThatThrownBy(() -> new InputGram(statistics, damping))
            .isInstanceOf(UsageException.class)
            .hasMessageContaining("--damping");
      }
    }
  }

  /** Without compensation, what stays is what it was. */
  @Test
  void otherCriteriaLeaveWhatStaysAsItIs() {
    Families whole = Families.of("llama");
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
        ShrunkModel shrunk =
            open(checkpoint, StructurePattern.NEURONS, new UnitScoring.Summed(new Magnitude()))
                .shrink(0.5)) {
      String name = whole.name(2, whole.down());
      List<Integer> gone = shrunk.removals().get(2).gone();
      double[] found = shrunk.tensor(name).toDoubles();
      Tensor w = whole.model().tensor(name);
      int place = 0;
      for (int i = 0; i < w.values().length; i++) {
        if (!gone.contains(i % whole.inner())) {
          assertThat(found[place++]).isEqualTo(w.values()[i]);
        }
      }
      assertThat(place).isEqualTo(found.length);
      assertThat(record(shrunk, name).weightedRelativeError()).isNull();
    }
  }

  private interface Work {
    void with(StructuredPruner pruner);
  }

  private void withPruner(Families whole, GramFile grams, StructurePattern pattern, Work work) {
    Path file = grams.write(folder.resolve("grams.safetensors"));
    try (Checkpoint checkpoint = Checkpoint.open(whole.model().write(folder.resolve("whole")));
        Statistics statistics = Statistics.open(file)) {
      work.with(
          open(
              checkpoint,
              pattern,
              new UnitScoring.Surgeon(new InputGram(statistics, DAMPING), TestDevice.get())));
    }
  }

  private StructuredPruner open(
      Checkpoint checkpoint, StructurePattern pattern, UnitScoring scoring) {
    return StructuredPruner.open(
        checkpoint,
        StructureOptions.of(pattern),
        scoring,
        OutputOptions.to(folder.resolve("small")),
        1,
        Progress.NONE);
  }

  private static TensorRecord record(ShrunkModel shrunk, String name) {
    return shrunk.records().stream()
        .filter(one -> one.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  private static String module(Families whole, int block, String module) {
    String weight = whole.name(block, module);
    return weight.substring(0, weight.length() - ".weight".length());
  }

  private static GramFile grams(Families whole, String consumer, int examples) {
    GramFile grams = new GramFile();
    for (int block = 0; block < Families.LAYERS; block++) {
      int n = matrix(whole, block, consumer)[0].length;
      grams.add(module(whole, block, consumer), n, examples);
    }
    return grams;
  }

  /** W [out, in]. */
  private static double[][] matrix(Families whole, int block, String module) {
    Tensor stored = whole.model().tensor(whole.name(block, module));
    int rows = (int) stored.shape().size(whole.transposed() ? 1 : 0);
    int columns = (int) stored.shape().size(whole.transposed() ? 0 : 1);
    double[][] w = new double[rows][columns];
    for (int i = 0; i < rows; i++) {
      for (int k = 0; k < columns; k++) {
        w[i][k] = stored.values()[whole.transposed() ? k * rows + i : i * columns + k];
      }
    }
    return w;
  }

  /** Inputs of the units that are gone. */
  private static List<Integer> inputs(Removal removal, int n) {
    int size = n / removal.of();
    return removal.gone().stream()
        .flatMap(unit -> IntStream.range(unit * size, (unit + 1) * size).boxed())
        .toList();
  }

  private static double[][] damped(double[][] a) {
    double trace = 0;
    for (int i = 0; i < a.length; i++) {
      trace += a[i][i];
    }
    double[][] h = new double[a.length][];
    for (int i = 0; i < a.length; i++) {
      h[i] = a[i].clone();
      h[i][i] += DAMPING * trace / a.length;
    }
    return h;
  }
}
