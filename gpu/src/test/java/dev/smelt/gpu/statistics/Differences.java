package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.PlainFisher;
import dev.smelt.gpu.plain.TinyModel;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.UnaryOperator;

/** Statistics of a tiny model, and how far they may be from what finite differences give. */
final class Differences {

  /** f32 gradients against f64, per tensor: norm of the difference over norm. */
  private static final double TOLERANCE = 2e-5;

  /** Norms below this share of the largest are rounding, as of a key's bias. */
  private static final double NEGLIGIBLE = 1e-9;

  private Differences() {}

  /**
   * Diagonal Fisher information in batches of one and of all is that of finite differences.
   *
   * @param dense the network that a stored model stands for
   * @return what was expected
   */
  static Map<String, double[]> assertDiagonal(
      Path folder, TinyModel stored, UnaryOperator<TinyModel> dense, List<Example> examples) {
    Map<String, double[]> expected = PlainFisher.empirical(stored, dense, examples);
    double largest = expected.values().stream().mapToDouble(Differences::norm).max().orElseThrow();
    for (int batch : new int[] {1, examples.size()}) {
      Map<String, double[]> found =
          estimate(folder, stored, examples, batch, EnumSet.of(Statistic.DIAG));
      assertThat(found).hasSameSizeAs(expected);
      expected.forEach(
          (name, values) ->
              assertClose(name, get(found, "diag/" + name), values, NEGLIGIBLE * largest));
    }
    return expected;
  }

  /**
   * Sums over rows and columns of a parameter are those of its diagonal.
   *
   * @param columns as it is stored
   * @param turned whether its stored rows are inputs
   */
  static void assertLines(
      Map<String, double[]> found,
      Map<String, double[]> diagonal,
      String name,
      int columns,
      boolean turned) {
    double[] values = get(diagonal, name);
    double[] ofRows = new double[values.length / columns];
    double[] ofColumns = new double[columns];
    for (int i = 0; i < values.length; i++) {
      ofRows[i / columns] += values[i];
      ofColumns[i % columns] += values[i];
    }
    String module = name.replaceFirst("\\.weight$", "");
    assertClose(name, get(found, "rows/" + module), turned ? ofColumns : ofRows, 0);
    assertClose(name, get(found, "cols/" + module), turned ? ofRows : ofColumns, 0);
  }

  static Map<String, double[]> estimate(
      Path folder, TinyModel model, List<Example> examples, int batch, Set<Statistic> statistics) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder));
        Network network = Network.load(checkpoint, TestDevice.get())) {
      return Estimates.of(
          network,
          TestData.dataset(examples),
          new FisherOptions(
              statistics, Labels.EMPIRICAL, 0, BatchSize.exactly(batch), OptionalDouble.empty()));
    }
  }

  static double[] get(Map<String, double[]> all, String name) {
    assertThat(all).containsKey(name);
    return all.getOrDefault(name, new double[0]);
  }

  static double norm(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  static void assertClose(String name, double[] found, double[] expected, double floor) {
    assertThat(found).as(name).hasSameSizeAs(expected);
    double[] difference = found.clone();
    for (int i = 0; i < expected.length; i++) {
      difference[i] -= expected[i];
    }
    assertThat(norm(difference))
        .as(name)
        .isLessThanOrEqualTo(Math.max(TOLERANCE * norm(expected), floor));
  }
}
