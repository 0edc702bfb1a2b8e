package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.smelt.formats.DeviceException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.data.Batch;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.gradient.BatchGradients;
import dev.smelt.gpu.layer.Tape;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.torch.Autograd;
import dev.smelt.gpu.torch.ScriptFunctions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Estimates statistics of a network on data, with gₙ the gradient of the log-likelihood of example
 * n: the sum over its tokens where tokens are predicted. Gradients are squared per example, never
 * per batch.
 *
 * <p>Where nothing that is asked for needs gradients, there are forward passes only. Otherwise, no
 * loss is formed: the gradient of log p(y|x) with respect to the logits is onehot(y) − p, so the
 * backward pass begins there; for the expectation over labels it is run once per class c with √p_c
 * (onehot(c) − p), whose squares add up to Σ_c p_c g_c ⊙ g_c.
 */
public final class FisherEstimator {

  /** Each class costs a backward pass; beyond this, sampling gives more for the same time. */
  private static final int MAX_EXPECTED_CLASSES = 64;

  /** Fewer values say little about their spread. */
  private static final int MIN_BATCHES_TO_STOP = 8;

  private final Network network;
  private final Dataset dataset;
  private final FisherOptions options;
  private final Saving saving;
  private final Optional<PositionSample> sample;
  private final Plan plan;
  private final Totals totals;
  private final BatchSpread spread;
  private final List<String> notes = new ArrayList<>();
  private int batch;
  private int next;
  private long tokens;

  private FisherEstimator(Network network, Dataset dataset, FisherOptions options, Saving saving) {
    this.network = network;
    this.dataset = dataset;
    this.options = options;
    this.saving = saving;
    Probe probe = Probe.of(network, dataset, options.needsGradients());
    this.sample = sample(probe);
    int sampled = sample.map(PositionSample::size).orElse(0);
    this.plan = Plan.of(network.parameters(), probe, sampled, options.statistics());
    this.batch = batch(probe);
    plan.leftOut().forEach(line -> notes.add("left out: " + line));
    this.totals = new Totals(network.device(), plan, options.statistics(), saving.target());
    this.spread = new BatchSpread(totals.watched());
  }

  /**
   * Runs the network over the data until all examples are used or the estimate is precise enough.
   *
   * @throws UsageException when the expectation over labels is asked of a language model or of too
   *     many classes, when memory is too little for one example, or when a killed run has left work
   *     and it is not said what to do with it
   * @throws DeviceException when memory runs out although the batch is one example
   */
  public static Estimate estimate(
      Network network, Dataset dataset, FisherOptions options, Saving saving, Progress progress) {
    if (options.labels() == Labels.EXPECTED && dataset.task().predictsTokens()) {
      throw tooManyClasses("this is " + dataset.task());
    }
    if (!saving.resume() && Snapshot.exists(saving)) {
      throw new UsageException(
          "an earlier run was killed and has left its work [" + saving.partial() + "]",
          "use --resume to continue it, or --overwrite to begin anew");
    }
    FisherEstimator estimator = new FisherEstimator(network, dataset, options, saving);
    try {
      return estimator.run(progress);
    } catch (RuntimeException e) {
      estimator.totals.close();
      throw e;
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

  /** Where hidden states are kept, if their entropy is asked for and there are any. */
  private Optional<PositionSample> sample(Probe probe) {
    if (!options.statistics().contains(Statistic.ENTROPY) || probe.hidden().isEmpty()) {
      return Optional.empty();
    }
    long length = probe.hidden().getFirst().get(1);
    return Optional.of(PositionSample.of(dataset, length, NeighbourEntropy.NEIGHBOURS));
  }

  /** What memory allows, or one where the network gives only whole gradients. */
  private int batch(Probe probe) {
    long weights = 0;
    long largest = 0;
    for (TensorInfo parameter : network.parameters()) {
      weights += parameter.elements() * Float.BYTES;
      largest = Math.max(largest, parameter.elements() * Float.BYTES);
    }
    // Squares of one parameter are added up beside a gradient of it.
    int fitting = options.batch().examples(weights + 2 * largest, plan.sumBytes(), probe.bytes());
    if (fitting < options.batch().most()) {
      notes.add("batch of " + fitting + " examples, to stay within the memory allowed");
    }
    if (network.model().singleExamples().isPresent()) {
      notes.add("one example at a time: " + network.model().singleExamples().get());
      return 1;
    }
    return fitting;
  }

  private Estimate run(Progress progress) {
    long start = System.nanoTime();
    if (saving.resume() && Snapshot.exists(saving)) {
      Snapshot found = Snapshot.restore(saving, plan, totals, spread);
      next = found.next();
      tokens = found.tokens();
      if (batch != found.batch()) {
        notes.add("batch of " + found.batch() + " examples, as in the run that is continued");
      }
      batch = found.batch();
    }
    int continuedAt = next;
    int available = dataset.examples().size();
    try (Progress.Task task = progress.begin("statistics", available, "examples")) {
      task.advance(next);
      long saved = System.nanoTime();
      while (next < available && !isPreciseEnough()) {
        task.advance(step());
        if (System.nanoTime() - saved >= saving.every().toNanos()) {
          new Snapshot(next, tokens, batch).save(saving, plan, totals, spread);
          saved = System.nanoTime();
        }
      }
    }
    Estimate.Course course =
        new Estimate.Course(
            next, tokens, (System.nanoTime() - start) * 1e-9, batch, continuedAt, notes);
    return new Estimate(plan, totals, course, spread.precision());
  }

  private boolean isPreciseEnough() {
    if (options.until().isEmpty() || spread.batches() < MIN_BATCHES_TO_STOP) {
      return false;
    }
    return spread.precision().overall().orElse(1) < options.until().getAsDouble();
  }

  /**
   * One batch; at half the size if memory runs out before anything of it is added.
   *
   * @return examples done
   */
  private int step() {
    while (true) {
      Batch examples = dataset.batch(next, batch);
      BatchStep work = new BatchStep(examples);
      try {
        network.device().step("statistics", work::run);
      } catch (DeviceException e) {
        if (batch == 1 || work.added) {
          throw e;
        }
        batch = batch / 2;
        notes.add(
            "batch of %d examples from example %d on: the engine failed with more, as it does when memory runs out"
                .formatted(batch, next));
        continue;
      }
      spread.add(examples.size(), totals.takeTraces());
      next += examples.size();
      tokens += examples.tokenCount();
      return examples.size();
    }
  }

  private final class BatchStep {

    private final Batch examples;
    private boolean added;

    private BatchStep(Batch examples) {
      this.examples = examples;
    }

    private void run(NDManager manager) {
      Autograd.unrecorded(() -> add(manager));
    }

    private void add(NDManager manager) {
      Tape tape = Tape.recording();
      boolean gradients = options.needsGradients();
      NDArray logits =
          gradients
              ? Autograd.recorded(() -> network.model().logits(manager, examples, tape))
              : network.model().logits(manager, examples, tape);
      long classes = logits.getShape().get(2);
      if (options.labels() == Labels.EXPECTED && classes > MAX_EXPECTED_CLASSES) {
        throw tooManyClasses("this network has " + classes);
      }
      examples.requireTargetsBelow(classes);
      ScriptFunctions functions = network.device().functions();
      Collector collector = new Collector(totals, functions);
      if (!gradients) {
        added = true;
        sample.ifPresent(some -> collector.add(manager, tape.hidden(), examples, some));
        collector.add(manager, BatchGradients.inputs(tape, examples, functions), true);
        return;
      }
      List<NDArray> seeds = LogitGradients.of(logits, examples, options.labels(), options.seed());
      for (int i = 0; i < seeds.size(); i++) {
        boolean last = i == seeds.size() - 1;
        Autograd.backward(logits, seeds.get(i), !last);
        added = true;
        if (i == 0) {
          sample.ifPresent(some -> collector.add(manager, tape.hidden(), examples, some));
        }
        collector.add(manager, BatchGradients.of(tape, examples, functions), i == 0);
        if (!last) {
          tape.taps().forEach(tap -> Autograd.clear(tap.leaf()));
        }
      }
    }
  }

  /** Removes what a killed run has left, once its statistics are written. */
  public static void forget(Saving saving) {
    Storage.local().delete(saving.partial());
  }
}
