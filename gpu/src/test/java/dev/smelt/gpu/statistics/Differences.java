package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.TinyModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;

/** Statistics of a tiny model, and how far they may be from what finite differences give. */
final class Differences {

  /** f32 gradients against f64, per tensor: norm of the difference over norm. */
  private static final double TOLERANCE = 2e-5;

  private Differences() {}

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
