package dev.smelt.merge.plan;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistics;
import java.util.List;

/** The statistics that a model comes with. */
final class ModelStatistics {

  private ModelStatistics() {}

  /**
   * @throws UsageException when a model comes without
   */
  static Statistics of(MergeInput input) {
    return input
        .statistics()
        .orElseThrow(
            () ->
                new UsageException(
                    "no statistics for " + input.checkpoint().path(),
                    "give --fisher once per model, in order; smelt fisher computes it"));
  }

  /**
   * @throws UsageException when a model comes without statistics
   * @throws MismatchException when they are of another model
   */
  static void requireOwn(List<MergeInput> inputs) {
    for (MergeInput input : inputs) {
      of(input).requireModel(input.sha256());
    }
  }
}
