package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.TinyEncoders;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The entropy of hidden states, against all distances one by one. */
class EntropyTest {

  private static final int K = 25;

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3, 6, 2, 4, 7, 3, 5, 6, 1);

  @TempDir private Path folder;

  /** d · mean log r, r at least 10⁻⁶ of the root mean square distance from the mean. */
  private static double entropy(double[][] points) {
    int d = points[0].length;
    double[] mean = new double[d];
    for (double[] point : points) {
      for (int i = 0; i < d; i++) {
        mean[i] += point[i] / points.length;
      }
    }
    double square = 0;
    for (double[] point : points) {
      square += Math.pow(distance(point, mean), 2) / points.length;
    }
    double floor = Math.max(1e-6 * Math.sqrt(square), 1e-30);
    double sum = 0;
    for (int i = 0; i < points.length; i++) {
      double[] distances = new double[points.length - 1];
      for (int j = 0, at = 0; j < points.length; j++) {
        if (j != i) {
          distances[at++] = distance(points[i], points[j]);
        }
      }
      Arrays.sort(distances);
      sum += Math.log(Math.max(distances[K - 1], floor));
    }
    return d * sum / points.length;
  }

  private static double distance(double[] a, double[] b) {
    double square = 0;
    for (int i = 0; i < a.length; i++) {
      square += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return Math.sqrt(square);
  }

  private static double found(double[][] points) {
    try (NDManager manager = TestDevice.get().torch().scope()) {
      double[] flat = Arrays.stream(points).flatMapToDouble(Arrays::stream).toArray();
      NDArray array = manager.create(flat, new Shape(points.length, points[0].length));
      return NeighbourEntropy.of(manager, TestDevice.get().torch().functions(), array);
    }
  }

  private static double[][] normal(Random random, int count, int d, double scale) {
    double[][] points = new double[count][d];
    for (double[] point : points) {
      for (int i = 0; i < d; i++) {
        point[i] = (float) (scale * random.nextGaussian());
      }
    }
    return points;
  }

  @Test
  void isTheMeanLogDistanceToTheTwentyFifthNeighbour() {
    Random random = new Random(3);
    for (int count : new int[] {26, 27, 255, 256, 257, 600}) {
      for (int d : new int[] {1, 5, 64}) {
        double[][] points = normal(random, count, d, 7);
        assertThat(found(points)).isCloseTo(entropy(points), within(1e-9 * d));
      }
    }
  }

  /** A mean far off, some points far off, and equal points. */
  @Test
  void holdsForPointsThatAreHardToTellApart() {
    Random random = new Random(4);
    double[][] points = normal(random, 300, 8, 1);
    for (double[] point : points) {
      point[0] += 1e4;
    }
    assertThat(found(points)).isCloseTo(entropy(points), within(1e-6));
    double[][] outliers = normal(random, 300, 8, 1);
    outliers[17][3] = 3e4;
    assertThat(found(outliers)).isCloseTo(entropy(outliers), within(1e-6));
    double[][] twins = normal(random, 300, 8, 1);
    for (int i = 0; i < 100; i++) {
      twins[i] = twins[0].clone();
    }
    assertThat(found(twins)).isCloseTo(entropy(twins), within(1e-6));
    double[][] equal = new double[40][3];
    assertThat(found(equal)).isCloseTo(3 * Math.log(1e-30), within(1e-9));
  }

  /** log r grows by log c when all points are scaled by c. */
  @Test
  void growsWithTheLogarithmOfTheScale() {
    double[][] points = normal(new Random(5), 100, 6, 1);
    double before = found(points);
    for (double[] point : points) {
      for (int i = 0; i < point.length; i++) {
        point[i] *= 8;
      }
    }
    assertThat(found(points) - before).isCloseTo(6 * Math.log(8), within(1e-9));
  }

  private static List<Example> windows(int count) {
    Random random = new Random(6);
    List<Example> examples = new ArrayList<>();
    for (int n = 0; n < count; n++) {
      int length = 1 + random.nextInt(TinyModels.POSITIONS);
      int[] ids = random.ints(length, 0, TinyModels.VOCABULARY).toArray();
      examples.add(new Example.Window(ids, ids));
    }
    return examples;
  }

  @Test
  void takesPositionsByTheirNumberWhateverTheBatch() {
    List<Example> examples = windows(2000);
    Dataset dataset = TestData.dataset(examples);
    PositionSample sample = PositionSample.of(dataset, 0, K);
    long positions = examples.stream().mapToLong(TestData::length).sum();
    assertThat(sample.positions()).isEqualTo(positions);
    assertThat(sample.size()).isEqualTo(4096);
    for (int size : new int[] {1, 7, 2000}) {
      Set<Long> rows = new TreeSet<>();
      for (Batch batch : (Iterable<Batch>) dataset.batches(size)::iterator) {
        int length = batch.tokens().length();
        PositionSample.Part part = sample.in(batch, length);
        for (int i = 0; i < part.rows().length; i++) {
          int b = (int) (part.places()[i] / length);
          int t = (int) (part.places()[i] % length);
          long p = t;
          for (int n = 0; n < batch.first() + b; n++) {
            p += TestData.length(examples.get(n));
          }
          assertThat(t).isLessThan(batch.tokens().lengths()[b]);
          assertThat(p * 4096 / positions).isEqualTo(part.rows()[i]);
          assertThat((p + 1) * 4096 / positions).isEqualTo(part.rows()[i] + 1);
          assertThat(rows.add(part.rows()[i])).isTrue();
        }
      }
      assertThat(rows).hasSize(4096);
    }
    PositionSample all = PositionSample.of(TestData.dataset(WINDOWS), 0, K);
    assertThat(all.size()).isEqualTo(50);
    assertThat(all.in(TestData.dataset(WINDOWS).batch(0, 2), 5).places())
        .containsExactly(0, 1, 2, 3, 4, 5);
  }

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder.resolve("model")))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private static FisherOptions options(int batch, Statistic... statistics) {
    return new FisherOptions(
        Set.of(statistics), Labels.EMPIRICAL, 0, BatchSize.exactly(batch), OptionalDouble.empty());
  }

  /** Hidden states of each example alone, without padding. */
  private static double[][] states(Network network, List<Example> examples, int block) {
    List<double[]> states = new ArrayList<>();
    for (Example example : examples) {
      try (NDManager manager = network.device().scope()) {
        Tape tape = Tape.recording();
        var _ = network.model().logits(manager, Batch.of(0, List.of(example)), tape);
        NDArray hidden = tape.hidden().get(block);
        int width = (int) hidden.getShape().get(2);
        float[] flat = hidden.toFloatArray();
        for (int t = 0; t < flat.length / width; t++) {
          double[] state = new double[width];
          for (int i = 0; i < width; i++) {
            state[i] = flat[t * width + i];
          }
          states.add(state);
        }
      }
    }
    return states.toArray(double[][]::new);
  }

  private void assertEntropies(TinyModel model, List<Example> examples) {
    try (Network network = load(model)) {
      for (int batch : new int[] {1, 5}) {
        Map<String, double[]> found =
            Estimates.of(network, TestData.dataset(examples), options(batch, Statistic.ENTROPY));
        assertThat(found).containsOnlyKeys("entropy/0", "entropy/1", "entropy/2");
        for (int block = 0; block < 3; block++) {
          double expected = entropy(states(network, examples, block));
          assertThat(found.getOrDefault("entropy/" + block, new double[0]))
              .containsExactly(new double[] {expected}, within(1e-4));
        }
      }
    }
  }

  @Test
  void isOfTheStatesBeforeEachBlockAndBehindTheLast() {
    assertEntropies(TinyModels.gpt2(), WINDOWS);
    assertEntropies(TinyModels.bert(), TestData.labelled(4, 7, 7, 2, 6, 5));
    assertEntropies(TinyEncoders.vit(), TinyEncoders.images(6));
  }

  @Test
  void isOfASampleWhereThereAreMany() {
    List<Example> examples = windows(1200);
    try (Network network = load(TinyModels.gpt2())) {
      double[][] all = states(network, examples, 1);
      List<double[]> sample = new ArrayList<>();
      for (int p = 0; p < all.length; p++) {
        if ((p + 1) * 4096L / all.length > p * 4096L / all.length) {
          sample.add(all[p]);
        }
      }
      assertThat(sample).hasSize(4096);
      Map<String, double[]> found =
          Estimates.of(
              network, TestData.dataset(examples), options(64, Statistic.ENTROPY, Statistic.COLS));
      assertThat(found.getOrDefault("entropy/1", new double[0]))
          .containsExactly(new double[] {entropy(sample.toArray(double[][]::new))}, within(1e-4));
    }
  }

  @Test
  void refusesWhatItCannotTell() {
    try (Network network = load(TinyModels.gpt2())) {
      Dataset few = TestData.dataset(TestData.windows(7, 7, 7, 4));
      assertThatThrownBy(() -> Estimates.of(network, few, options(2, Statistic.ENTROPY)))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("expected more than 25, found 25");
    }
    assertThatThrownBy(
            () ->
                new FisherOptions(
                    Set.of(Statistic.ENTROPY, Statistic.DIAG),
                    Labels.EMPIRICAL,
                    0,
                    BatchSize.exactly(1),
                    OptionalDouble.of(0.1)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--until cannot be used with entropy");
    assertThat(Statistic.ENTROPY.tensorName("3")).isEqualTo("entropy/3");
  }
}
