package dev.smelt.cli.command;

import dev.smelt.compress.prune.Schedule;
import dev.smelt.formats.Checkpoint;
import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import java.util.List;
import java.util.Set;

/**
 * Steps in which a model gets thinner, and what has to be known of it before each.
 *
 * @param data on which statistics are gathered
 */
record Steps(Schedule schedule, Thinning thinning, Dataset data, Set<Statistic> wanted) {

  List<Double> shares(double sparsity) {
    return schedule.shares(sparsity);
  }

  /** Of a model as it is now; close them. */
  Statistics statistics(Checkpoint model) {
    return thinning.statistics(model, data, wanted);
  }
}
