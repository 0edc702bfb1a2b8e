package dev.smelt.gpu.eval;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.torch.Tensors;
import java.util.OptionalDouble;

/** Runs a network over data and compares its predictions with what came. */
public final class Evaluator {

  private Evaluator() {}

  /**
   * @param batch examples at a time; changes memory and speed, and results only in their last
   *     digits
   */
  public static Evaluation evaluate(
      Network network, Dataset dataset, int batch, Progress progress) {
    warmUp(network, dataset);
    long start = System.nanoTime();
    Sums sums = new Sums();
    try (Progress.Task task = progress.begin("evaluation", dataset.examples().size(), "examples")) {
      for (Batch part : (Iterable<Batch>) dataset.batches(batch)::iterator) {
        network.device().step("evaluation", manager -> add(sums, manager, network, part));
        task.advance(part.size());
      }
    }
    double loss = sums.loss / sums.predictions;
    return new Evaluation(
        loss,
        dataset.task().predictsTokens()
            ? OptionalDouble.of(Math.exp(loss))
            : OptionalDouble.empty(),
        (double) sums.right / sums.predictions,
        dataset.examples().size(),
        sums.tokens,
        (System.nanoTime() - start) * 1e-9);
  }

  /**
   * The first forward pass of a process waits for code and memory. Without it, of two models the
   * one that comes first would look slower.
   */
  private static void warmUp(Network network, Dataset dataset) {
    if (dataset.examples().isEmpty()) {
      return;
    }
    Batch first = dataset.batch(0, 1);
    network
        .device()
        .step(
            "evaluation",
            manager -> {
              try (NDArray logits = network.model().logits(manager, first, Tape.off())) {
                var _ = logits.argMax(2).toLongArray();
              }
            });
  }

  /** Totals so far; the losses are f32 each and f64 in sum. */
  private static final class Sums {
    private double loss;
    private long right;
    private long predictions;
    private long tokens;
  }

  private static void add(Sums sums, NDManager manager, Network network, Batch batch) {
    NDArray logits = network.model().logits(manager, batch, Tape.off());
    batch.requireTargetsBelow(logits.getShape().get(2));
    int perExample = batch.predictionsPerExample();
    NDArray targets = Tensors.ofInts(manager, batch.targetIndices(), batch.size(), perExample, 1);
    float[] likelihoods = logits.logSoftmax(-1).gather(targets, 2).toFloatArray();
    long[] choices = logits.argMax(2).toLongArray();
    for (int b = 0; b < batch.size(); b++) {
      for (int t = 0; t < perExample; t++) {
        if (!batch.counts(b, t)) {
          continue;
        }
        int at = b * perExample + t;
        sums.loss -= likelihoods[at];
        sums.right += choices[at] == batch.targets()[at] ? 1 : 0;
        sums.predictions++;
      }
    }
    sums.tokens += batch.tokenCount();
  }
}
