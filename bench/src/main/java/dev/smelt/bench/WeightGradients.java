package dev.smelt.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.layer.Parameter;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.Tensors;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What everybody does: weights that require gradients, and a backward pass of the batch's loss.
 * Gradients of the weights add up from pass to pass, as in training with accumulation.
 */
final class WeightGradients implements AutoCloseable {

  private final Network network;
  private final NDManager scope;

  /** The parameters of a script have gradients by themselves, if a tape records. */
  private final boolean script;

  private final Map<Parameter, NDArray> squares = new LinkedHashMap<>();

  WeightGradients(Network network, Dataset dataset) {
    this.network = network;
    this.scope = network.device().scope();
    this.script = network.model().singleExamples().isPresent();
    Tape tape = Tape.recording();
    network
        .device()
        .step(
            "forward pass",
            manager -> {
              var _ = network.model().logits(manager, dataset.batch(0, 1), tape);
            });
    tape.taps()
        .forEach(
            tap ->
                tap.uses()
                    .forEach(
                        use ->
                            squares.computeIfAbsent(
                                use.parameter(),
                                parameter ->
                                    scope.zeros(parameter.value().getShape(), DataType.FLOAT64))));
    requireGradients(true);
  }

  private void requireGradients(boolean wanted) {
    if (!script) {
      squares.keySet().forEach(parameter -> parameter.value().setRequiresGradient(wanted));
    }
  }

  /** Forward and backward, nothing more. */
  void pass(Batch batch) {
    network
        .device()
        .step(
            "backward pass",
            manager -> {
              NDArray loss = Autograd.recorded(() -> loss(manager, batch));
              Autograd.backward(loss, Tensors.scalar(manager, 1), false);
            });
  }

  /** Diagonal Fisher information the plain way: a pass, then squares of its gradients. */
  void addSquares(Batch oneExample) {
    pass(oneExample);
    squares.forEach(
        (parameter, sum) -> {
          try (NDArray gradient = parameter.value().getGradient();
              NDArray square = gradient.square()) {
            sum.addi(square);
          }
          Autograd.clear(parameter.value());
        });
  }

  /** Sums of squares so far, by name of parameter. */
  Map<String, double[]> sums() {
    Map<String, double[]> sums = new LinkedHashMap<>();
    squares.forEach((parameter, sum) -> sums.put(parameter.name(), sum.toDoubleArray()));
    return sums;
  }

  private NDArray loss(NDManager manager, Batch batch) {
    NDArray logits = network.model().logits(manager, batch, script ? Tape.recording() : Tape.off());
    NDArray targets =
        Tensors.ofInts(
            manager, batch.targetIndices(), batch.size(), batch.predictionsPerExample(), 1);
    return logits.logSoftmax(-1).gather(targets, 2).sum().neg();
  }

  @Override
  public void close() {
    requireGradients(false);
    scope.close();
  }
}
