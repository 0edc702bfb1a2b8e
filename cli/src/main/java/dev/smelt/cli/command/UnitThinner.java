package dev.smelt.cli.command;

import dev.smelt.compress.prune.ThinnedModel;
import dev.smelt.compress.structure.StructuredPruner;

/** Leaves units out. */
record UnitThinner(StructuredPruner pruner) implements Thinner {

  @Override
  public ThinnedModel thin(double sparsity) {
    return pruner.shrink(sparsity);
  }

  @Override
  public double largest() {
    return pruner.largestSparsity();
  }
}
