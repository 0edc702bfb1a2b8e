package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.torch.Autograd;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * Estimates F = (1/N) Σₙ gₙ ⊙ gₙ, with gₙ the gradient of the log-likelihood of example n: the sum
 * over its tokens for a language model. Gradients are squared per example, never per batch.
 *
 * <p>No loss is formed. The gradient of log p(y|x) with respect to the logits is onehot(y) − p, so
 * the backward pass begins there; for the expectation over labels it is run once per class c with
 * √p_c (onehot(c) − p), whose squares add up to Σ_c p_c g_c ⊙ g_c.
 */
public final class FisherEstimator {

  /** Each class costs a backward pass; beyond this, sampling gives more for the same time. */
  private static final int MAX_EXPECTED_CLASSES = 64;

  /**
   * Elements of per-example gradients held at a time, 64 MiB of f32. A larger parameter is done one
   * example at a time.
   */
  private static final long SLICE_ELEMENTS = 16L << 20;

  private FisherEstimator() {}

  /**
   * @throws UsageException when the expectation over labels is asked of a language model or of too
   *     many classes
   */
  public static Fisher diagonal(
      Network network, Dataset dataset, FisherOptions options, Progress progress) {
    return diagonal(network, dataset, options, SLICE_ELEMENTS, progress);
  }

  static Fisher diagonal(
      Network network,
      Dataset dataset,
      FisherOptions options,
      long sliceElements,
      Progress progress) {
    requireLabels(dataset, options.labels());
    long start = System.nanoTime();
    long examples = dataset.examples().size();
    long tokens = 0;
    try (NDManager totals = network.device().scope();
        Progress.Task task = progress.begin("Fisher information", examples, "examples")) {
      DiagonalTotals diagonal =
          new DiagonalTotals(totals, network.device().functions(), sliceElements);
      for (Batch batch : (Iterable<Batch>) dataset.batches(options.batch())::iterator) {
        network
            .device()
            .step(
                "Fisher information",
                manager ->
                    Autograd.unrecorded(() -> add(diagonal, manager, network, batch, options)));
        tokens += batch.tokenCount();
        task.advance(batch.size());
      }
      SequencedMap<TensorInfo, float[]> means = new LinkedHashMap<>();
      for (TensorInfo parameter : network.parameters()) {
        means.put(parameter, diagonal.mean(parameter, examples));
      }
      return new Fisher(means, examples, tokens, (System.nanoTime() - start) * 1e-9);
    }
  }

  private static void requireLabels(Dataset dataset, Labels labels) {
    if (labels == Labels.EXPECTED && dataset.task().predictsTokens()) {
      throw tooManyClasses("this is " + dataset.task());
    }
  }

  private static void requireFewClasses(NDArray logits, Labels labels) {
    long classes = logits.getShape().get(2);
    if (labels == Labels.EXPECTED && classes > MAX_EXPECTED_CLASSES) {
      throw tooManyClasses("this network has " + classes);
    }
  }

  private static UsageException tooManyClasses(String found) {
    return new UsageException(
        "expected labels are for classifiers of at most "
            + MAX_EXPECTED_CLASSES
            + " classes; "
            + found,
        "use --labels sampled");
  }

  private static void add(
      DiagonalTotals diagonal,
      NDManager manager,
      Network network,
      Batch batch,
      FisherOptions options) {
    Tape tape = Tape.recording();
    NDArray logits = Autograd.recorded(() -> network.model().logits(manager, batch, tape));
    requireFewClasses(logits, options.labels());
    List<NDArray> seeds = LogitGradients.of(logits, batch, options);
    for (int i = 0; i < seeds.size(); i++) {
      boolean last = i == seeds.size() - 1;
      Autograd.backward(logits, seeds.get(i), !last);
      diagonal.add(tape);
      if (!last) {
        tape.taps().forEach(tap -> Autograd.clear(tap.zeros()));
      }
    }
  }
}
