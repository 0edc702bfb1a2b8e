package dev.smelt.bench;

import static dev.smelt.bench.Command.smelt;

import dev.smelt.compress.refine.FactoredMatrix;
import dev.smelt.compress.refine.RefineOptions;
import dev.smelt.compress.refine.Refinement;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.LowRank;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import dev.smelt.gpu.eval.Evaluator;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.gpu.training.TuneOptions;
import dev.smelt.gpu.training.Tuner;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a language model at half the size of its block matrices loses, by plain SVD and in the
 * metric of both Gram matrices, and what refinement and tuning on the same data give back.
 */
final class RecoveryBench {

  private static final int STEPS = 200;
  private static final double RATE = 1e-4;
  private static final int BATCH = 8;

  private final Path model;
  private final Path statistics;
  private final PrintStream out;
  private final Checkpoint dense;
  private final ComputeDevice device;
  private final Network original;
  private final Dataset train;
  private final Dataset held;
  private final double loss;

  private RecoveryBench(
      Path model,
      Path statistics,
      PrintStream out,
      Checkpoint dense,
      ComputeDevice device,
      Network original,
      Dataset train,
      Dataset held) {
    this.model = model;
    this.statistics = statistics;
    this.out = out;
    this.dense = dense;
    this.device = device;
    this.original = original;
    this.train = train;
    this.held = held;
    this.loss = loss(original);
  }

  /**
   * @param train text for statistics, refinement and tuning
   * @param held text that the losses are of
   * @param windows of 128 tokens of the former
   */
  static void run(Path model, Path train, Path held, int windows, PrintStream out) {
    int threads = Runtime.getRuntime().availableProcessors();
    try (TempFolder folder = TempFolder.make();
        Checkpoint dense = Checkpoint.open(model);
        ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, threads);
        Network original = Network.load(dense, device);
        Tokenizer tokenizer = Tokenizers.forCheckpoint(dense)) {
      Path statistics = folder.path().resolve("grams.safetensors");
      DataOptions first = DataOptions.ALL.withSeqLen(128).withSamples(windows);
      DataOptions longer = DataOptions.ALL.withSeqLen(256).withSamples(40);
      RecoveryBench bench =
          new RecoveryBench(
              model,
              statistics,
              out,
              dense,
              device,
              original,
              Dataset.read(train, tokenizer, original.input(), first),
              Dataset.read(held, tokenizer, original.input(), longer));
      smelt(
          "fisher",
          model,
          "--data",
          train,
          "--seq-len",
          128,
          "--samples",
          windows,
          "--stats",
          "input-gram,grad-gram",
          "-o",
          statistics);
      bench.table(folder.path());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private double loss(Network network) {
    return Evaluator.evaluate(network, held, BATCH, Progress.NONE).loss();
  }

  private void table(Path folder) {
    out.printf("| %s, loss %.4f | loss more | of plain |%n", model.getFileName(), loss);
    out.println("|---|---|---|");
    Path plain = folder.resolve("plain");
    smelt("factorize", model, "-o", plain, "--metric", "plain", "--keep", 0.5);
    double lost = row("plain", 0, plain, false, false);
    Path weighted = folder.resolve("kronecker");
    smelt("factorize", model, "-o", weighted, "--stats", statistics, "--keep", 0.5);
    row("kronecker", lost, weighted, false, false);
    row("kronecker, refined", lost, weighted, true, false);
    row("kronecker, tuned", lost, weighted, false, true);
    row("kronecker, refined and tuned", lost, weighted, true, true);
  }

  private double row(String name, double lost, Path factors, boolean refine, boolean tune) {
    try (Checkpoint checkpoint = Checkpoint.open(factors);
        Network network = Network.load(checkpoint, device);
        Statistics grams = Statistics.open(statistics)) {
      LowRank lowRank = LowRank.of(checkpoint);
      if (refine) {
        RefineOptions options = RefineOptions.DEFAULT;
        List<FactoredMatrix> matrices = matrices(lowRank, grams);
        var _ =
            Refinement.refine(original, network, train, matrices, device, options, Progress.NONE);
      }
      if (tune) {
        var _ =
            Tuner.tune(
                network,
                train,
                parameters(lowRank),
                TuneOptions.of(STEPS, RATE).withBatch(BATCH),
                Optional.of(original),
                Progress.NONE);
      }
      double more = loss(network) - loss;
      out.printf("| %s | %+.4f | %.2f |%n", name, more, lost == 0 ? 1 : more / lost);
      return more;
    }
  }

  private List<FactoredMatrix> matrices(LowRank lowRank, Statistics grams) {
    List<FactoredMatrix> matrices = new ArrayList<>();
    lowRank
        .modules()
        .forEach(
            (name, module) -> {
              String parameter = name + ".weight";
              TensorView weight = dense.tensor(parameter);
              matrices.add(
                  new FactoredMatrix(
                      parameter,
                      LowRank.factorA(name),
                      LowRank.factorB(name),
                      () -> module.transposed() ? transposed(weight) : weight.toDoubles(),
                      grams.find(Statistic.GRAD_GRAM, parameter).map(g -> g::toDoubles)));
            });
    return matrices;
  }

  private static double[] transposed(TensorView weight) {
    Shape shape = weight.shape();
    int in = Math.toIntExact(shape.size(0));
    int out = Math.toIntExact(shape.size(1));
    double[] stored = weight.toDoubles();
    double[] matrix = new double[stored.length];
    for (int i = 0; i < stored.length; i++) {
      matrix[i % out * in + i / out] = stored[i];
    }
    return matrix;
  }

  private static Set<String> parameters(LowRank lowRank) {
    Set<String> parameters = new HashSet<>();
    for (String name : lowRank.modules().keySet()) {
      parameters.add(LowRank.factorA(name));
      parameters.add(LowRank.factorB(name));
    }
    return parameters;
  }
}
