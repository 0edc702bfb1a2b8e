package dev.smelt.cli.command;

import dev.smelt.compress.prune.ThinnedModel;

/** Makes thinner models of one model, one after another. */
interface Thinner {

  /** Close it before another is made, but for the one that is kept. */
  ThinnedModel thin(double sparsity);

  /** The largest sparsity that there is. */
  double largest();
}
