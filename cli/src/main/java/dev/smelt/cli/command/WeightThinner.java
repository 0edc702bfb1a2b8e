package dev.smelt.cli.command;

import dev.smelt.compress.prune.PrunedModel;
import dev.smelt.compress.prune.Pruner;
import dev.smelt.compress.prune.ThinnedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.statistics.Statistics;
import java.util.Optional;

/**
 * Makes single weights zero, at once or in steps.
 *
 * @param statistics of the dense model
 * @param steps in which to go; absent: at once
 */
record WeightThinner(
    Checkpoint dense,
    Pruner pruner,
    CriterionMixin criterion,
    LazyDevice device,
    Optional<Statistics> statistics,
    Optional<Steps> steps,
    Progress progress)
    implements Thinner {

  @Override
  public double largest() {
    return 1;
  }

  @Override
  public ThinnedModel thin(double sparsity) {
    return steps.isPresent()
        ? gradually(sparsity, steps.get())
        : prune(Optional.empty(), sparsity, statistics);
  }

  private PrunedModel prune(
      Optional<PrunedModel> previous, double sparsity, Optional<Statistics> known) {
    return pruner.prune(
        dense, previous, criterion.method(known, device), sparsity, known, progress);
  }

  private PrunedModel gradually(double sparsity, Steps steps) {
    Optional<PrunedModel> last = Optional.empty();
    for (double share : steps.shares(sparsity)) {
      Checkpoint now = last.isPresent() ? last.get() : dense;
      try (Statistics fresh = steps.statistics(now)) {
        PrunedModel next = prune(last, share, Optional.of(fresh));
        last.ifPresent(PrunedModel::close);
        last = Optional.of(next);
      } catch (RuntimeException e) {
        last.ifPresent(PrunedModel::close);
        throw e;
      }
    }
    return last.orElseThrow();
  }
}
