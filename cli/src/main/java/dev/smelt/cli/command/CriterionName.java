package dev.smelt.cli.command;

import dev.smelt.compress.prune.Scope;
import dev.smelt.gpu.statistics.Statistic;
import java.util.Locale;
import java.util.Set;

/** What {@code --criterion} takes. */
enum CriterionName {
  MAGNITUDE(Scope.GLOBAL, false),
  FISHER(Scope.GLOBAL, false),
  WANDA(Scope.ROW, false),
  CONTRIBUTION(Scope.ROW, false),
  OBS(Scope.TENSOR, true),
  SPARSEGPT(Scope.TENSOR, true),
  BLOCK_ENTROPY(Scope.GLOBAL, false);

  private final Scope scope;
  private final boolean compensates;

  CriterionName(Scope scope, boolean compensates) {
    this.scope = scope;
    this.compensates = compensates;
  }

  /** In which its scores are compared unless told otherwise. */
  Scope scope() {
    return scope;
  }

  /** Whether the weights that stay make up for those that go. */
  boolean compensates() {
    return compensates;
  }

  boolean needsStatistics() {
    return !statistics().isEmpty();
  }

  /** What it needs to know of the data. */
  Set<Statistic> statistics() {
    return switch (this) {
      case MAGNITUDE -> Set.of();
      case FISHER -> Set.of(Statistic.DIAG);
      case WANDA -> Set.of(Statistic.INPUT_NORMS);
      case CONTRIBUTION -> Set.of(Statistic.CONTRIBUTION);
      case OBS, SPARSEGPT -> Set.of(Statistic.INPUT_GRAM);
      case BLOCK_ENTROPY -> Set.of(Statistic.ENTROPY);
    };
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
