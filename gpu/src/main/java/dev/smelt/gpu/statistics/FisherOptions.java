package dev.smelt.gpu.statistics;

import dev.smelt.formats.UsageException;
import java.util.EnumSet;
import java.util.OptionalDouble;
import java.util.Set;

/**
 * What is estimated, and how.
 *
 * @param statistics at least one
 * @param labels which labels define the gradients
 * @param seed of the labels drawn, for {@link Labels#SAMPLED}; every example has draws of its own,
 *     which depend on its place in the data and not on the batch
 * @param batch examples at a time
 * @param until stop when the relative standard error of the Fisher information is below, see {@link
 *     Precision#overall}; otherwise all examples are used
 */
public record FisherOptions(
    Set<Statistic> statistics, Labels labels, long seed, BatchSize batch, OptionalDouble until) {

  public FisherOptions {
    if (statistics.isEmpty()) {
      throw new UsageException("no statistics asked for", "name at least one");
    }
    statistics = EnumSet.copyOf(statistics);
    if (statistics.contains(Statistic.MEAN_GRADIENT) && labels != Labels.EMPIRICAL) {
      throw new UsageException(
          "the mean gradient over labels of the network's own choice is 0 but for chance",
          "use --labels empirical");
    }
    if (until.isPresent()) {
      double limit = until.getAsDouble();
      if (!(limit > 0 && limit < 1)) {
        throw new UsageException("--until " + limit + " makes no sense", "use 0.05 or the like");
      }
      if (statistics.contains(Statistic.ENTROPY)) {
        throw new UsageException(
            "--until cannot be used with entropy, whose positions are spread over all the data",
            "leave one of them out, or use --samples");
      }
      if (statistics.stream().noneMatch(Statistic::isFisher)) {
        throw new UsageException(
            "--until needs Fisher information to watch", "add diag, rows or cols");
      }
    }
  }

  /** Whether backward passes are needed, and not the forward passes alone. */
  boolean needsGradients() {
    return statistics.stream().anyMatch(Statistic::needsGradients);
  }

  /** The diagonal. */
  public static FisherOptions diagonal(Labels labels, int batch, long seed) {
    return new FisherOptions(
        Set.of(Statistic.DIAG), labels, seed, BatchSize.exactly(batch), OptionalDouble.empty());
  }
}
