package dev.smelt.compress.prune;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.statistics.Statistics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

/** Makes weights zero: the masks, and the weights that are left where they make up for it. */
public final class Pruner {

  /** What the matrices that are worked on together may take. */
  private static final long CONCURRENT_BYTES = 2_000_000_000;

  /** About five copies of H, and of W, are held in f64. */
  private static final long COPIES_BYTES = 5L * Double.BYTES;

  /** More would be slowed down by the memory they share. */
  private static final int MAX_CONCURRENT = 64;

  private final PruneOptions options;
  private final OutputOptions output;
  private final Supplier<ComputeDevice> device;
  private final int threads;

  /**
   * @param output beside which intermediate data lie
   * @param device opened where weights make up for others
   */
  public Pruner(
      PruneOptions options, OutputOptions output, Supplier<ComputeDevice> device, int threads) {
    this.options = options;
    this.output = output;
    this.device = device;
    this.threads = threads;
  }

  /** The tensors that lose weights. */
  public List<Layer> layers(Checkpoint model) {
    return options.selection().layers(model);
  }

  /**
   * Takes ⌊s·n⌋ weights of what the scope says, those with the smallest scores; ties by place.
   *
   * @param previous a model with fewer zeros that was made of this one, whose weights are looked at
   *     in place of its; it is not needed any more afterwards
   * @param sparsity s in [0, 1], of no effect where groups say how much goes
   * @param statistics for {@link Allocation#LOSS}
   * @throws UsageException when the method cannot do what the options say
   */
  public PrunedModel prune(
      Checkpoint model,
      Optional<PrunedModel> previous,
      Method method,
      double sparsity,
      Optional<Statistics> statistics,
      Progress progress) {
    Scratch scratch = Storage.local().scratch(output.target());
    try {
      StoredTensors stored = new StoredTensors(scratch, output.target(), options.dtype());
      List<Layer> originals = layers(model);
      List<Layer> layers = previous.isPresent() ? layers(previous.get()) : originals;
      List<PrunedLayer> pruned =
          switch (method) {
            case Method.ByScore(Criterion criterion) ->
                byScore(layers, criterion, sparsity, statistics, scratch, progress);
            case Method.Refitted(Criterion criterion, InputGram gram) -> {
              List<Mask> masks = masks(layers, criterion, sparsity, statistics, scratch, progress);
              yield onDevice(
                  layers,
                  (algebra, i) -> Refit.apply(algebra, layers.get(i), masks.get(i), gram, stored),
                  progress);
            }
            case Method.Sequential(InputGram gram) -> {
              List<Quota> quotas = quotas(layers, sparsity, statistics);
              yield onDevice(
                  layers,
                  (algebra, i) ->
                      SparseGpt.apply(algebra, layers.get(i), quotas.get(i), gram, scratch, stored),
                  progress);
            }
          };
      SequencedMap<String, PrunedLayer> byName = new LinkedHashMap<>();
      for (int i = 0; i < originals.size(); i++) {
        PrunedLayer layer =
            previous.isPresent()
                ? pruned.get(i).settled(originals.get(i), stored, scratch)
                : pruned.get(i);
        byName.put(originals.get(i).weight().name(), layer);
      }
      return new PrunedModel(model, byName, scratch, stored);
    } catch (RuntimeException e) {
      scratch.close();
      throw e;
    }
  }

  private List<PrunedLayer> byScore(
      List<Layer> layers,
      Criterion criterion,
      double sparsity,
      Optional<Statistics> statistics,
      Scratch scratch,
      Progress progress) {
    List<Mask> masks = masks(layers, criterion, sparsity, statistics, scratch, progress);
    List<PrunedLayer> pruned = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      PrunedLayer layer = new PrunedLayer(layers.get(i), masks.get(i));
      pruned.add(
          criterion.predictsLoss()
              ? layer.withPredictedLoss(Predicted.loss(layer, criterion, threads))
              : layer);
    }
    return pruned;
  }

  @FunctionalInterface
  private interface Step {
    PrunedLayer apply(LinearAlgebra algebra, int layer);
  }

  private List<PrunedLayer> onDevice(List<Layer> layers, Step step, Progress progress) {
    ComputeDevice engine = device.get();
    List<AtomicReference<PrunedLayer>> found = new ArrayList<>();
    List<Workers.Job> jobs = new ArrayList<>();
    try (Progress.Task task = progress.begin("compensating", layers.size(), "tensors")) {
      for (int i = 0; i < layers.size(); i++) {
        int at = i;
        AtomicReference<PrunedLayer> result = new AtomicReference<>();
        found.add(result);
        jobs.add(
            () -> {
              try (LinearAlgebra algebra = engine.linearAlgebra()) {
                result.set(step.apply(algebra, at));
              }
              task.advance(1);
            });
      }
      engine.runAll(jobs, concurrent(layers));
    }
    return found.stream().map(AtomicReference::get).toList();
  }

  /** Layers that are worked on at a time: as many as the largest of them leaves memory for. */
  private static int concurrent(List<Layer> layers) {
    long largest =
        layers.stream()
            .mapToLong(
                layer ->
                    (long) layer.storedIn() * (layer.storedIn() + layer.storedOut()) * COPIES_BYTES)
            .max()
            .orElse(1);
    return Math.clamp(CONCURRENT_BYTES / largest, 1, MAX_CONCURRENT);
  }

  private List<Mask> masks(
      List<Layer> layers,
      Criterion criterion,
      double sparsity,
      Optional<Statistics> statistics,
      Scratch scratch,
      Progress progress) {
    if (options.pattern() instanceof Pattern.Unstructured && options.scope() == Scope.GLOBAL) {
      return smallest(layers, criterion, sparsity, scratch);
    }
    List<Quota> quotas = quotas(layers, sparsity, statistics);
    try (Progress.Task task = progress.begin("pruning", layers.size(), "tensors")) {
      List<Integer> all = new ArrayList<>();
      for (int i = 0; i < layers.size(); i++) {
        all.add(i);
      }
      return Workers.map(
          threads,
          all,
          i -> {
            Mask mask = mask(layers.get(i), criterion, quotas.get(i), scratch);
            task.advance(1);
            return mask;
          });
    }
  }

  private List<Mask> smallest(
      List<Layer> layers, Criterion criterion, double sparsity, Scratch scratch) {
    long weights = layers.stream().mapToLong(Layer::elements).sum();
    return smallest(layers, criterion, Share.of(sparsity, weights), threads, scratch);
  }

  private static List<Mask> smallest(
      List<Layer> layers, Criterion criterion, long count, int threads, Scratch scratch) {
    boolean halves =
        criterion instanceof Magnitude
            && layers.stream().map(layer -> layer.weight().dtype()).distinct().count() == 1
            && Halves.are(layers.getFirst().weight());
    if (halves) {
      return SmallestHalves.mark(layers, count, threads, scratch);
    }
    List<ScoreKeys> keys =
        layers.stream().map(layer -> new ScoreKeys(layer, criterion.of(layer))).toList();
    return new Smallest(keys, threads).mark(count, scratch);
  }

  private static Mask mask(Layer layer, Criterion criterion, Quota quota, Scratch scratch) {
    return switch (quota) {
      case Quota.OfTensor(long zeros) ->
          smallest(List.of(layer), criterion, zeros, 1, scratch).getFirst();
      case Quota.OfRows rows -> Rows.mark(layer, criterion.of(layer), rows, scratch);
      case Quota.OfGroups groups -> Rows.mark(layer, criterion.of(layer), groups, scratch);
    };
  }

  private List<Quota> quotas(List<Layer> layers, double sparsity, Optional<Statistics> statistics) {
    List<Quota> quotas = new ArrayList<>();
    List<Long> byLoss =
        options.allocation() == Allocation.LOSS ? byLoss(layers, sparsity, statistics) : List.of();
    for (int i = 0; i < layers.size(); i++) {
      Layer layer = layers.get(i);
      quotas.add(
          switch (options.pattern()) {
            case Pattern.Groups groups -> new Quota.OfGroups(groups);
            case Pattern.Unstructured _ when !byLoss.isEmpty() ->
                options.scope() == Scope.ROW
                    ? new Quota.OfRows(byLoss.get(i))
                    : new Quota.OfTensor(byLoss.get(i));
            case Pattern.Unstructured _ when options.scope() == Scope.GLOBAL ->
                throw new UsageException(
                    "--criterion sparsegpt takes one layer after the other",
                    "use --scope tensor or row, perhaps with --allocation loss");
            case Pattern.Unstructured _ ->
                options.scope() == Scope.ROW
                    ? new Quota.OfRows(Share.of(sparsity, layer.storedIn()) * layer.storedOut())
                    : new Quota.OfTensor(Share.of(sparsity, layer.elements()));
          });
    }
    return quotas;
  }

  /** How many of each tensor would go if the smallest predicted losses of all did. */
  private List<Long> byLoss(List<Layer> layers, double sparsity, Optional<Statistics> statistics) {
    FisherLoss losses =
        new FisherLoss(
            statistics.orElseThrow(
                () ->
                    new UsageException(
                        "--allocation loss needs Fisher information",
                        "give --stats FILE with diag; smelt fisher computes it")));
    try (Scratch temporary = Storage.local().scratch(output.target())) {
      return smallest(layers, losses, sparsity, temporary).stream().map(Mask::zeros).toList();
    }
  }
}
