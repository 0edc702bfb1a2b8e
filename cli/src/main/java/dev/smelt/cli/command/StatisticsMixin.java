package dev.smelt.cli.command;

import dev.smelt.cli.Units;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.BatchSize;
import dev.smelt.gpu.statistics.FisherOptions;
import dev.smelt.gpu.statistics.Labels;
import dev.smelt.gpu.statistics.Saving;
import dev.smelt.gpu.statistics.Statistic;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of what is estimated, and within which bounds. */
final class StatisticsMixin {

  /** Enough for full speed on a CPU. */
  private static final int DEFAULT_BATCH = 8;

  /** Where memory is given, as many as still gain speed. */
  private static final int LARGEST_BATCH = 64;

  /** With the sums in mapped files, 4 GB are enough for networks of 100 million parameters. */
  private static final long DEFAULT_MEMORY = 3_000_000_000L;

  private static final long DEFAULT_SAVE_SECONDS = 60;

  @Option(
      names = "--stats",
      paramLabel = "S",
      split = ",",
      description =
          "What to estimate: diag, rows, cols, input-gram, grad-gram, input-norms, contribution,"
              + " entropy; several with commas (diag).")
  private List<String> statistics = List.of(Statistic.DIAG.toString());

  @Option(
      names = "--rank1",
      description = "Also keep the mean gradient: the Fisher matrix of rank 1.")
  private boolean rankOne;

  @Option(
      names = "--labels",
      paramLabel = "empirical|sampled|expected",
      description =
          "Labels of the data; drawn from the model's prediction; or the exact expectation over"
              + " classes (empirical).")
  private Labels labels = Labels.EMPIRICAL;

  @Option(names = "--seed", paramLabel = "SEED", description = "Of --labels sampled (0).")
  private @Nullable Long seed;

  @Option(
      names = "--until",
      paramLabel = "E",
      description =
          "Stop when the relative standard error of the Fisher information, weighted over tensors,"
              + " is below E; 0.05 is 5 %%.")
  private @Nullable Double until;

  @Option(
      names = "--memory",
      paramLabel = "SIZE",
      description =
          "Memory to stay within, such as 4G, by the size of batches, which are larger where it"
              + " allows them. Without it: batches of 8, or fewer where they would take more than"
              + " 3 GB; on a GPU up to 64, as its free memory allows.")
  private @Nullable String memory;

  @Option(
      names = "--resume",
      description = "Continue a run that was killed, from the last time it saved its work.")
  private boolean resume;

  @Option(
      names = "--save-every",
      paramLabel = "SECONDS",
      description = "Save the work so far beside the output, in case of a kill (60).")
  private @Nullable Long saveEvery;

  Labels labels() {
    return labels;
  }

  boolean resume() {
    return resume;
  }

  FisherOptions options(OptionalInt batch, ComputeDevice device) {
    if (seed != null && labels != Labels.SAMPLED) {
      throw new UsageException("--seed has no effect without --labels sampled", "leave it out");
    }
    return new FisherOptions(
        statistics(),
        labels,
        seed == null ? 0 : seed,
        batch(batch, device),
        until == null ? OptionalDouble.empty() : OptionalDouble.of(until));
  }

  private Set<Statistic> statistics() {
    Set<Statistic> chosen = EnumSet.noneOf(Statistic.class);
    for (String name : statistics) {
      if (!chosen.add(Statistic.parse(name.strip()))) {
        throw new UsageException("--stats names " + name.strip() + " twice", "name it once");
      }
    }
    if (rankOne) {
      chosen.add(Statistic.MEAN_GRADIENT);
    }
    return chosen;
  }

  private BatchSize batch(OptionalInt given, ComputeDevice device) {
    if (memory != null) {
      return new BatchSize(given.orElse(LARGEST_BATCH), Units.bytes("--memory", memory), true);
    }
    return given.isPresent()
        ? BatchSize.exactly(given.getAsInt())
        : device.isGpu()
            ? new BatchSize(LARGEST_BATCH, device.memoryBytes(), false)
            : new BatchSize(DEFAULT_BATCH, Math.min(DEFAULT_MEMORY, device.memoryBytes()), false);
  }

  Saving saving(Path target, Map<String, String> identity) {
    long seconds = saveEvery == null ? DEFAULT_SAVE_SECONDS : saveEvery;
    if (seconds < 0) {
      throw new UsageException("--save-every " + seconds + " makes no sense", "use 0 or more");
    }
    return new Saving(target, Duration.ofSeconds(seconds), resume, identity);
  }
}
