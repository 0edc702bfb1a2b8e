package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.sparse.Kind;
import dev.smelt.merge.sparse.SparseMerge;
import dev.smelt.merge.sparse.SparseMerge.Part;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Changes of which a random part is kept: how much, which, and what is made of it. */
class RandomThinningTest {

  private static final int ROWS = 200;
  private static final int COLUMNS = 501;
  private static final int N = ROWS * COLUMNS;

  /** Counts are within so many standard deviations; seeds are fixed, so it is always or never. */
  private static final double DEVIATIONS = 5;

  @TempDir private Path folder;

  private static SparseMerge merge(
      Kind kind, double density, double epsilon, boolean rescale, long seed, int models) {
    List<Part> parts = Collections.nCopies(models, new Part(1, density, epsilon));
    return new SparseMerge(kind, parts, 1, false, rescale, seed);
  }

  private static final TestTensor FIRST = random("w", DType.F32, 21, ROWS, COLUMNS);
  private static final TestTensor SECOND = random("w", DType.F32, 22, ROWS, COLUMNS);

  /** The merged tensor, of a base of zeros: what is kept of the changes. */
  private double[] kept(MergeMethod method, TestTensor... models) {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(zeros(models[0].name()));
      for (TestTensor model : models) {
        scenario.model(model);
      }
      return scenario.run(method, DType.F64).tensor(models[0].name()).toDoubles();
    }
  }

  private static TestTensor zeros(String name) {
    return f32(name, Shape.of(ROWS, COLUMNS), new float[N]);
  }

  private static double[] values(TestTensor tensor, Path folder) {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(tensor).model(tensor);
      return scenario
          .plan(merge(Kind.DARE_LINEAR, 1, 0, false, 0, 1))
          .merged()
          .getFirst()
          .operands()
          .theta()
          .getFirst()
          .view()
          .toDoubles();
    }
  }

  private static boolean[] mask(double[] kept) {
    boolean[] mask = new boolean[kept.length];
    for (int k = 0; k < mask.length; k++) {
      mask[k] = kept[k] != 0;
    }
    return mask;
  }

  private static void assertShare(long count, double probability, long of) {
    double deviation = Math.sqrt(of * probability * (1 - probability));
    assertThat((double) count).isCloseTo(of * probability, within(DEVIATIONS * deviation + 1e-9));
  }

  private static long count(boolean[] mask) {
    long count = 0;
    for (boolean one : mask) {
      count += one ? 1 : 0;
    }
    return count;
  }

  @ParameterizedTest
  @CsvSource({"0.3, true", "0.3, false", "0.97, true", "0.001, true"})
  void dareKeepsEachChangeWithTheSameProbability(double density, boolean rescale) {
    double[] change = values(FIRST, folder);
    double[] kept = kept(merge(Kind.DARE_LINEAR, density, 0, rescale, 4, 1), FIRST);
    for (int k = 0; k < N; k++) {
      double expected = rescale ? change[k] / density : change[k];
      if (kept[k] != 0 && Math.abs(kept[k] - expected) > 1e-14 * Math.abs(expected)) {
        assertThat(kept[k]).as("element " + k).isEqualTo(expected);
      }
    }
    boolean[] mask = mask(kept);
    assertShare(count(mask), density, N);
    // Neither the size of a change nor its place says whether it is kept.
    int[] order = Thinned.order(change);
    assertShare(count(of(mask, Arrays.copyOf(order, N / 2))), density, N / 2);
    for (int step : new int[] {2, 3, 8, 64, COLUMNS}) {
      int[] places = IntStream.iterate(0, k -> k < N, k -> k + step).toArray();
      assertShare(count(of(mask, places)), density, places.length);
    }
    // Nor does whether the one before it is, or the one above it.
    for (int distance : new int[] {1, 2, COLUMNS}) {
      long both = 0;
      for (int k = distance; k < N; k++) {
        both += mask[k] && mask[k - distance] ? 1 : 0;
      }
      assertShare(both, density * density, N - distance);
    }
  }

  private static boolean[] of(boolean[] mask, int[] places) {
    boolean[] some = new boolean[places.length];
    for (int i = 0; i < some.length; i++) {
      some[i] = mask[places[i]];
    }
    return some;
  }

  @Test
  void seedsTensorsAndModelsHaveMasksOfTheirOwn() {
    boolean[] mask = mask(kept(merge(Kind.DARE_LINEAR, 0.5, 0, true, 0, 1), FIRST));
    assertThat(mask(kept(merge(Kind.DARE_LINEAR, 0.5, 0, true, 0, 1), FIRST))).isEqualTo(mask);
    List<boolean[]> others =
        List.of(
            mask(kept(merge(Kind.DARE_LINEAR, 0.5, 0, true, 1, 1), FIRST)),
            mask(kept(merge(Kind.DARE_LINEAR, 0.5, 0, true, 0, 1), FIRST.renamed("v"))),
            mask(kept(merge(Kind.DARE_LINEAR, 0.5, 0, true, 0, 1), SECOND)));
    for (boolean[] other : others) {
      long same = 0;
      for (int k = 0; k < N; k++) {
        same += mask[k] == other[k] ? 1 : 0;
      }
      assertShare(same, 0.5, N);
    }
  }

  @Test
  void aModelStoredInAnotherTypeHasTheSameMask() {
    TestTensor narrow = random("w", DType.BF16, 23, ROWS, COLUMNS);
    double[] values = values(narrow, folder);
    float[] same = new float[N];
    for (int k = 0; k < N; k++) {
      same[k] = (float) values[k];
    }
    SparseMerge method = merge(Kind.DARE_LINEAR, 0.5, 0, true, 0, 1);
    assertThat(kept(method, f32("w", Shape.of(ROWS, COLUMNS), same)))
        .isEqualTo(kept(method, narrow));
  }

  /** What is kept of a model does not depend on the others, so it can be found without them. */
  @ParameterizedTest
  @CsvSource({"DARE_LINEAR, 0", "DARE_TIES, 0", "DELLA, 0.2", "DELLA_LINEAR, 0.2"})
  void severalModelsAreCombinedOfWhatIsKeptOfEach(Kind kind, double epsilon) {
    double[][] changes = {
      kept(merge(kind, 0.5, epsilon, true, 9, 1), FIRST),
      kept(merge(kind, 0.5, epsilon, true, 9, 1), SECOND)
    };
    double[] w = {1, 0.5};
    for (boolean normalize : new boolean[] {true, false}) {
      SparseMerge method =
          new SparseMerge(
              kind,
              List.of(new Part(1, 0.5, epsilon), new Part(0.5, 0.5, epsilon)),
              0.8,
              normalize,
              true,
              9);
      double[] zeros = new double[N];
      double[] expected =
          kind.name().endsWith("LINEAR")
              ? Thinned.sum(zeros, changes, w, 0.8, normalize)
              : Thinned.elected(zeros, changes, w, 0.8, normalize);
      Thinned.assertClose(kept(method, FIRST, SECOND), expected, 1e-13);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void dellaKeepsLargeChangesOfARowMoreOftenAndDividesByThatProbability(boolean rescale) {
    double density = 0.4;
    double epsilon = 0.3;
    double[] change = values(FIRST, folder);
    double[] kept = kept(merge(Kind.DELLA_LINEAR, density, epsilon, rescale, 5, 1), FIRST);
    long[] ofRank = new long[COLUMNS];
    for (int row = 0; row < ROWS; row++) {
      int from = row * COLUMNS;
      int[] order = Thinned.order(Arrays.copyOfRange(change, from, from + COLUMNS));
      for (int place = 0; place < COLUMNS; place++) {
        int k = from + order[place];
        double probability = density + epsilon - 2 * epsilon * place / (COLUMNS - 1);
        double expected = rescale ? change[k] / probability : change[k];
        if (kept[k] != 0) {
          assertThat(kept[k]).isCloseTo(expected, within(1e-13));
          ofRank[place]++;
        }
      }
    }
    for (int from = 0; from < COLUMNS; from += 50) {
      int to = Math.min(COLUMNS, from + 50);
      double middle = density + epsilon - 2 * epsilon * (from + to - 1) / 2 / (COLUMNS - 1);
      long found = Arrays.stream(ofRank, from, to).sum();
      assertShare(found, middle, (long) (to - from) * ROWS);
    }
  }

  @Test
  void dellaTakesATensorOfOneAxisForOneRowAndEqualChangesForEqual() {
    int n = 40_000;
    float[] model = new float[n];
    for (int k = 0; k < n; k++) {
      model[k] = k % 4 == 0 ? -3 : 1;
    }
    // A quarter is large. Ranks of equal changes are the mean of theirs.
    double large = 0.5 + 0.4 * (2 * ((n * 3 / 4 + n - 1) / 2.0) / (n - 1) - 1);
    double small = 0.5 + 0.4 * (2 * ((n * 3 / 4 - 1) / 2.0) / (n - 1) - 1);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(n), new float[n])).model(f32("w", Shape.of(n), model));
      SparseMerge method = merge(Kind.DELLA_LINEAR, 0.5, 0.4, true, 2, 1);
      Checkpoint merged = scenario.run(method, DType.F64);
      double[] found = merged.tensor("w").toDoubles();
      long ofLarge = 0;
      long ofSmall = 0;
      for (int k = 0; k < n; k++) {
        if (found[k] != 0) {
          double expected = k % 4 == 0 ? -3 / large : 1 / small;
          assertThat(found[k]).isCloseTo(expected, within(1e-12));
          ofLarge += k % 4 == 0 ? 1 : 0;
          ofSmall += k % 4 == 0 ? 0 : 1;
        }
      }
      assertShare(ofLarge, large, n / 4);
      assertShare(ofSmall, small, n * 3 / 4);
    }
  }

  @Test
  void dellaOfRowsOfOneElementKeepsThemByTheDensity() {
    int n = 20_000;
    float[] model = new float[n];
    Arrays.fill(model, 2);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("w", Shape.of(n, 1), new float[n])).model(f32("w", Shape.of(n, 1), model));
      double[] found =
          scenario.run(merge(Kind.DELLA, 0.25, 0.2, true, 2, 1), DType.F64).tensor("w").toDoubles();
      assertShare(Arrays.stream(found).filter(value -> value == 8).count(), 0.25, n);
      assertShare(Arrays.stream(found).filter(value -> value == 0).count(), 0.75, n);
    }
  }
}
