package dev.smelt.bench;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.data.DataOptions;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.data.Normalization;
import dev.smelt.gpu.data.Tokenizer;
import dev.smelt.gpu.data.Tokenizers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.statistics.Estimate;
import dev.smelt.gpu.statistics.FisherEstimator;
import dev.smelt.gpu.statistics.FisherOptions;
import dev.smelt.gpu.statistics.Labels;
import dev.smelt.gpu.statistics.Saving;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import tools.jackson.databind.JsonNode;

/**
 * A trained ResNet-20 as a TorchScript module with the tensors of a legacy PyTorch file: what it
 * predicts, and its Fisher information beside squares of plain gradients of the loss.
 */
final class ScriptBench {

  private static final String NORMALIZE = "0.485,0.456,0.406/0.229,0.224,0.225";
  private static final int EXAMPLES = 32;

  private ScriptBench() {}

  /**
   * @param real folder with resnet20.th and resnet20.torchscript.pt
   * @param images folder of a folder for each class
   */
  static void run(Path real, Path images, PrintStream out) {
    Path weights = real.resolve("resnet20.th");
    Path module = real.resolve("resnet20.torchscript.pt");
    JsonNode found =
        Command.smelt(
            "eval", weights, "--script", module, "--data", images, "--normalize", NORMALIZE);
    out.println("| resnet20 | images | loss | accuracy |");
    out.println("|---|---|---|---|");
    out.printf(
        "| eval --script | %d | %.6f | %.4f |%n%n",
        found.path("examples").intValue(),
        found.path("loss").doubleValue(),
        found.path("accuracy").doubleValue());
    try (ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, 1);
        Checkpoint checkpoint = Checkpoint.open(weights);
        Network network = Network.script(checkpoint, module, device);
        Tokenizer none = Tokenizers.whenNeeded(checkpoint)) {
      DataOptions options =
          new DataOptions(
              OptionalInt.empty(),
              OptionalInt.of(EXAMPLES),
              OptionalLong.of(1),
              Optional.empty(),
              Optional.of(Normalization.parse(NORMALIZE)),
              OptionalDouble.empty(),
              OptionalLong.empty());
      Dataset dataset = Dataset.read(images, none, network.input(), options);
      compare(network, dataset, images, out);
    }
  }

  private static void compare(Network network, Dataset dataset, Path images, PrintStream out) {
    Map<String, double[]> plain = new HashMap<>();
    try (WeightGradients gradients = new WeightGradients(network, dataset)) {
      dataset.batches(1).forEach(gradients::addSquares);
      plain.putAll(gradients.sums());
    }
    Map<String, double[]> differences = new HashMap<>();
    plain.forEach((name, sums) -> differences.put(name, sums.clone()));
    try (Estimate estimate =
        FisherEstimator.estimate(
            network,
            dataset,
            FisherOptions.diagonal(Labels.EMPIRICAL, 1, 0),
            Saving.never(images.resolveSibling("unused.safetensors")),
            Progress.NONE)) {
      estimate.read(
          (tensor, first, values) -> {
            double[] difference =
                differences.getOrDefault(tensor.name().substring("diag/".length()), new double[0]);
            for (int i = 0; i < values.length; i++) {
              difference[(int) first + i] -= (double) values[i] * EXAMPLES;
            }
          });
    }
    double worst = 0;
    for (Map.Entry<String, double[]> tensor : plain.entrySet()) {
      double[] difference = differences.getOrDefault(tensor.getKey(), new double[0]);
      worst = Math.max(worst, norm(difference) / norm(tensor.getValue()));
    }
    out.println("| Fisher of resnet20 by script | images | tensors | largest ‖ΔF‖/‖F‖ |");
    out.println("|---|---|---|---|");
    out.printf(
        "| beside squares of plain gradients | %d | %d | %.1e |%n", EXAMPLES, plain.size(), worst);
  }

  private static double norm(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }
}
