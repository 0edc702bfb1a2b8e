package dev.smelt.cli.command;

import dev.smelt.compress.prune.ThinnedModel;
import dev.smelt.compress.structure.ShrunkModel;
import dev.smelt.compress.structure.StructuredPruner;
import dev.smelt.formats.Progress;
import dev.smelt.gpu.statistics.Statistics;
import java.util.List;
import java.util.Optional;

/**
 * Leaves units out, at once or in steps.
 *
 * @param pruner with scores of the dense model
 * @param steps in which to go; absent: at once
 */
record UnitThinner(
    StructuredPruner pruner,
    CriterionMixin criterion,
    LazyDevice device,
    Optional<Steps> steps,
    int threads,
    Progress progress)
    implements Thinner {

  @Override
  public double largest() {
    return pruner.largestSparsity();
  }

  @Override
  public ThinnedModel thin(double sparsity) {
    return steps.isPresent() ? gradually(sparsity, steps.get()) : pruner.shrink(sparsity);
  }

  private ThinnedModel gradually(double sparsity, Steps steps) {
    List<Double> shares = steps.shares(sparsity);
    StructuredPruner last = pruner;
    for (double share : shares.subList(0, shares.size() - 1)) {
      try (ShrunkModel smaller = last.step(share);
          Statistics fresh = steps.statistics(smaller)) {
        last =
            last.rescored(
                smaller, criterion.scoring(Optional.of(fresh), device), threads, progress);
      }
    }
    return last.shrink(shares.getLast());
  }
}
