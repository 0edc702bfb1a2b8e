package dev.smelt.bench;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.BatchSize;
import dev.smelt.gpu.statistics.Estimate;
import dev.smelt.gpu.statistics.FisherEstimator;
import dev.smelt.gpu.statistics.FisherOptions;
import dev.smelt.gpu.statistics.Labels;
import dev.smelt.gpu.statistics.Saving;
import dev.smelt.gpu.statistics.Statistic;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.DoubleSupplier;

/**
 * Examples per second of statistics, beside (a) Fisher information one example at a time and (b) a
 * plain forward and backward pass of the same batch. All ways take turns in one process; the table
 * has the medians.
 */
final class FisherBench {

  private static final int ROUNDS = 5;

  /** Enough for sums on disk to be in use: the first batch finds them untouched. */
  private static final int LARGE_BATCHES = 4;

  private static final int LARGE_ROUNDS = 3;
  private static final int BATCH = 8;

  private final Path testdata;
  private final ComputeDevice device;
  private final PrintStream out;

  FisherBench(Path testdata, ComputeDevice device, PrintStream out) {
    this.testdata = testdata;
    this.device = device;
    this.out = out;
  }

  static void run(Path testdata, String device, PrintStream out) {
    int threads = Runtime.getRuntime().availableProcessors();
    try (ComputeDevice opened = ComputeDevice.open(DeviceChoice.parse(device), threads);
        TempFolder folder = TempFolder.make()) {
      FisherBench bench = new FisherBench(testdata, opened, out);
      out.println(
          "| network, examples | batch | "
              + opened.description()
              + " | examples/s | × (a) | time / (b) |");
      out.println("|---|---|---|---|---|---|");
      bench.measure(
          "bert-base, T ≤ 64",
          testdata.resolve("bert-base"),
          testdata.resolve("text/reviews.dev.tsv"),
          DataOptions.ALL,
          ROUNDS);
      bench.measure(
          "gpt2-drama, T = 128",
          testdata.resolve("gpt2-drama"),
          testdata.resolve("text/drama.train.txt"),
          DataOptions.ALL.withSeqLen(128).withSamples(64),
          ROUNDS);
      Path large = folder.path().resolve("bert");
      Path data = folder.path().resolve("data.jsonl");
      RandomBert.make(large);
      RandomBert.makeData(data, LARGE_BATCHES * BATCH, 64);
      bench.measure("BERT 110M, T = 64", large, data, DataOptions.ALL, LARGE_ROUNDS);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void measure(String name, Path model, Path data, DataOptions options, int rounds) {
    try (Checkpoint checkpoint = Checkpoint.open(model);
        Network network = Network.load(checkpoint, device)) {
      Dataset dataset = read(checkpoint, network, data, options);
      Map<String, DoubleSupplier> ways = new LinkedHashMap<>();
      ways.put("(a) one at a time", () -> oneAtATime(network, dataset));
      ways.put("(b) forward and backward", () -> plain(network, dataset));
      for (Set<Statistic> statistics :
          List.of(
              Set.of(Statistic.DIAG),
              Set.of(Statistic.ROWS),
              Set.of(Statistic.ROWS, Statistic.COLS),
              Set.of(Statistic.INPUT_GRAM, Statistic.GRAD_GRAM))) {
        ways.put(
            String.join(", ", statistics.stream().map(Statistic::toString).sorted().toList()),
            () -> statistics(network, dataset, statistics));
      }
      Map<String, double[]> seconds = new LinkedHashMap<>();
      ways.keySet().forEach(way -> seconds.put(way, new double[rounds]));
      for (int round = -1; round < rounds; round++) {
        for (Map.Entry<String, DoubleSupplier> way : ways.entrySet()) {
          double time = way.getValue().getAsDouble();
          // The first round warms up.
          if (round >= 0) {
            seconds.getOrDefault(way.getKey(), new double[rounds])[round] = time;
          }
        }
      }
      print(name, dataset.examples().size(), seconds);
    }
  }

  private void print(String name, int examples, Map<String, double[]> seconds) {
    Map<String, Double> medians = new LinkedHashMap<>();
    seconds.forEach((way, times) -> medians.put(way, median(times)));
    double a = medians.getOrDefault("(a) one at a time", Double.NaN);
    double b = medians.getOrDefault("(b) forward and backward", Double.NaN);
    medians.forEach(
        (way, time) ->
            out.printf(
                "| %s | %d | %s | %.1f | %.2f | %.2f |%n",
                name, way.startsWith("(a)") ? 1 : BATCH, way, examples / time, a / time, time / b));
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  private static Dataset read(
      Checkpoint checkpoint, Network network, Path data, DataOptions options) {
    try (Tokenizer tokenizer = Tokenizers.whenNeeded(checkpoint)) {
      return Dataset.read(data, tokenizer, network.input(), options);
    }
  }

  private static double oneAtATime(Network network, Dataset dataset) {
    try (WeightGradients weights = new WeightGradients(network, dataset)) {
      long start = System.nanoTime();
      dataset.batches(1).forEach(weights::addSquares);
      return (System.nanoTime() - start) * 1e-9;
    }
  }

  private static double plain(Network network, Dataset dataset) {
    try (WeightGradients weights = new WeightGradients(network, dataset)) {
      long start = System.nanoTime();
      for (Batch batch : (Iterable<Batch>) dataset.batches(BATCH)::iterator) {
        weights.pass(batch);
      }
      return (System.nanoTime() - start) * 1e-9;
    }
  }

  private double statistics(Network network, Dataset dataset, Set<Statistic> statistics) {
    FisherOptions options =
        new FisherOptions(
            statistics, Labels.EMPIRICAL, 0, BatchSize.exactly(BATCH), OptionalDouble.empty());
    Saving saving = Saving.never(testdata.resolve("unused.safetensors"));
    try (Estimate estimate =
        FisherEstimator.estimate(network, dataset, options, saving, Progress.NONE)) {
      return estimate.course().seconds();
    }
  }
}
