package dev.smelt.compress.structure;

import dev.smelt.compress.prune.Criterion;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Anatomy;
import dev.smelt.formats.model.Anatomy.InBlock;
import dev.smelt.formats.model.Coupling;
import dev.smelt.formats.model.TensorRole;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.statistics.Statistic;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Scores of all units of a model. */
final class Scoring {

  private static final String WEIGHT = ".weight";

  private final Checkpoint checkpoint;
  private final Anatomy anatomy;
  private final ModelConfig config;
  private final Optional<Compensation> compensation;
  private final int threads;
  private final Progress progress;

  Scoring(
      Checkpoint checkpoint,
      Anatomy anatomy,
      ModelConfig config,
      Optional<Compensation> compensation,
      int threads,
      Progress progress) {
    this.checkpoint = checkpoint;
    this.anatomy = anatomy;
    this.config = config;
    this.compensation = compensation;
    this.threads = threads;
    this.progress = progress;
  }

  /**
   * @param couplings of each block; none: blocks are scored as a whole
   * @return by block; one list of whole blocks
   */
  List<double[]> of(UnitScoring scoring, List<Coupling> couplings) {
    return switch (scoring) {
      case UnitScoring.Summed(Criterion criterion) -> {
        UnitScores scores = new UnitScores(checkpoint, criterion);
        yield couplings.isEmpty() ? List.of(sums(scores)) : each(couplings, scores::of, threads);
      }
      case UnitScoring.Surgeon _ -> each(couplings, compensation.orElseThrow()::scores, 1);
      case UnitScoring.Entropy entropy -> List.of(differences(entropy));
    };
  }

  private interface OfOne<T> {
    double[] of(T one);
  }

  private <T> List<double[]> each(List<T> items, OfOne<T> score, int workers) {
    try (Progress.Task task = progress.begin("scoring", items.size(), "blocks")) {
      return Workers.map(
          workers,
          items,
          item -> {
            double[] found = score.of(item);
            task.advance(1);
            return found;
          });
    }
  }

  /** Of all matrices of each block. */
  private double[] sums(UnitScores scores) {
    List<List<TensorView>> matrices = new ArrayList<>();
    for (int block = 0; block < anatomy.blocks(config); block++) {
      matrices.add(new ArrayList<>());
    }
    for (TensorView view : checkpoint.tensors()) {
      Optional<InBlock> place = anatomy.find(view.name());
      if (place.isPresent()) {
        int block = requireBlock(place.get(), view);
        if (anatomy.architecture().role(view.info()).isBlockMatrix()
            && view.name().endsWith(WEIGHT)) {
          matrices.get(block).add(view);
        }
      }
    }
    List<double[]> sums =
        each(
            matrices,
            views -> {
              double sum = 0;
              for (TensorView view : views) {
                boolean transposed = anatomy.architecture().role(view.info()) == TensorRole.CONV1D;
                String name = view.name();
                String module = name.substring(0, name.length() - WEIGHT.length());
                sum += scores.of(module, view, transposed);
              }
              return new double[] {sum};
            },
            threads);
    return sums.stream().mapToDouble(sum -> sum[0]).toArray();
  }

  private int requireBlock(InBlock place, TensorView view) {
    if (place.block() >= anatomy.blocks(config)) {
      throw new MismatchException(
          "tensor of a block that is not there",
          checkpoint.path() + "|" + view.name(),
          "expected blocks 0 to " + (anatomy.blocks(config) - 1) + " from config.json",
          "is config.json that of another model?");
    }
    return place.block();
  }

  private double[] differences(UnitScoring.Entropy entropy) {
    int blocks = anatomy.blocks(config);
    double[] scores = new double[blocks];
    double before = entropy(entropy, 0);
    for (int block = 0; block < blocks; block++) {
      double behind = entropy(entropy, block + 1);
      scores[block] = behind - before;
      before = behind;
    }
    return scores;
  }

  private static double entropy(UnitScoring.Entropy entropy, int block) {
    String name = String.valueOf(block);
    String where = entropy.statistics().path() + "|" + Statistic.ENTROPY.tensorName(name);
    TensorView found =
        entropy
            .statistics()
            .find(Statistic.ENTROPY, name)
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no entropy of the hidden states of a block",
                        where,
                        "",
                        "compute it with smelt fisher --stats " + Statistic.ENTROPY));
    if (found.elements() != 1) {
      throw new MismatchException(
          "statistics of another shape",
          where,
          "expected [1], found " + found.shape(),
          "compute the statistics of this model");
    }
    double[] value = new double[1];
    found.read(0, 1, value);
    if (!Double.isFinite(value[0])) {
      throw new NonFiniteException(
          "invalid statistics",
          where,
          "expected a finite number, found " + value[0],
          "compute the statistics again");
    }
    return value[0];
  }
}
