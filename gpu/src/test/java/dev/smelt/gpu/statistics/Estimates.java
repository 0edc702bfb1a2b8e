package dev.smelt.gpu.statistics;

import dev.smelt.formats.Progress;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.network.Network;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Estimates as arrays by name of tensor. */
public final class Estimates {

  /** Where running sums may go. */
  public static final Path TARGET =
      Path.of(System.getProperty("java.io.tmpdir"), "statistics.safetensors");

  private Estimates() {}

  public static Map<String, double[]> of(Network network, Dataset dataset, FisherOptions options) {
    try (Estimate estimate =
        FisherEstimator.estimate(network, dataset, options, Saving.never(TARGET), Progress.NONE)) {
      return arrays(estimate);
    }
  }

  /** By name in the file; values are f32. */
  public static Map<String, double[]> arrays(Estimate estimate) {
    Map<String, double[]> arrays = new LinkedHashMap<>();
    estimate.tensors().forEach(info -> arrays.put(info.name(), new double[(int) info.elements()]));
    estimate.read(
        (tensor, first, values) -> {
          double[] array = arrays.getOrDefault(tensor.name(), new double[0]);
          for (int i = 0; i < values.length; i++) {
            array[(int) first + i] = values[i];
          }
        });
    return arrays;
  }

  /** The diagonal by name of parameter. */
  public static Map<String, double[]> diagonal(
      Network network, List<Example> examples, Labels labels, int batch, long seed) {
    Map<String, double[]> found =
        of(network, TestData.dataset(examples), FisherOptions.diagonal(labels, batch, seed));
    Map<String, double[]> diagonal = new LinkedHashMap<>();
    found.forEach(
        (name, values) -> diagonal.put(name.substring(Statistic.DIAG.prefix().length()), values));
    return diagonal;
  }
}
