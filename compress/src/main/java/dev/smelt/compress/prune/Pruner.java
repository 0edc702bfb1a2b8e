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
import dev.smelt.gpu.statistics.Statistics;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;

/** Makes weights zero: the masks, and the weights that are left where they make up for it. */
public final class Pruner {

  private final PruneOptions options;
  private final OutputOptions output;
  private final int threads;

  public Pruner(PruneOptions options, OutputOptions output, int threads) {
    this.options = options;
    this.output = output;
    this.threads = threads;
  }

  /** The tensors that lose weights. */
  public List<Layer> layers(Checkpoint model) {
    return options.selection().layers(model);
  }

  /**
   * Takes ⌊s·n⌋ weights of what the scope says, those with the smallest scores; ties by place.
   *
   * @param sparsity s in [0, 1], of no effect where groups say how much goes
   * @param statistics for {@link Allocation#LOSS}
   */
  public PrunedModel prune(
      Checkpoint model,
      Criterion criterion,
      double sparsity,
      Optional<Statistics> statistics,
      Progress progress) {
    Scratch scratch = Storage.local().scratch(output.target());
    try {
      List<Layer> layers = layers(model);
      List<Mask> masks = masks(layers, criterion, sparsity, statistics, scratch, progress);
      SequencedMap<String, PrunedLayer> pruned = new LinkedHashMap<>();
      for (int i = 0; i < layers.size(); i++) {
        PrunedLayer layer = new PrunedLayer(layers.get(i), masks.get(i));
        pruned.put(
            layers.get(i).weight().name(),
            criterion.predictsLoss()
                ? layer.withPredictedLoss(Predicted.loss(layer, criterion, threads))
                : layer);
      }
      StoredTensors stored = new StoredTensors(scratch, output.target(), options.dtype());
      return new PrunedModel(model, pruned, scratch, stored);
    } catch (RuntimeException e) {
      scratch.close();
      throw e;
    }
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
    return new Smallest(keys(layers, criterion), threads).mark(share(sparsity, weights), scratch);
  }

  private static List<? extends Keys> keys(List<Layer> layers, Criterion criterion) {
    boolean halves =
        criterion instanceof Magnitude
            && layers.stream().map(layer -> layer.weight().dtype()).distinct().count() == 1
            && Halves.are(layers.getFirst().weight());
    return halves
        ? layers.stream().map(HalfKeys::new).toList()
        : layers.stream().map(layer -> new ScoreKeys(layer, criterion.of(layer))).toList();
  }

  private static Mask mask(Layer layer, Criterion criterion, Quota quota, Scratch scratch) {
    return switch (quota) {
      case Quota.OfTensor(long zeros) ->
          new Smallest(keys(List.of(layer), criterion), 1).mark(zeros, scratch).getFirst();
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
            case Pattern.Unstructured _ ->
                options.scope() == Scope.ROW
                    ? new Quota.OfRows(share(sparsity, layer.storedIn()) * layer.storedOut())
                    : new Quota.OfTensor(share(sparsity, layer.elements()));
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

  /** ⌊s·n⌋; of s as decimals have it, so that 0.29 of 100 are 29. */
  static long share(double sparsity, long weights) {
    return java.math.BigDecimal.valueOf(sparsity)
        .multiply(java.math.BigDecimal.valueOf(weights))
        .setScale(0, java.math.RoundingMode.FLOOR)
        .longValueExact();
  }
}
