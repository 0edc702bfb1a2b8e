package dev.smelt.cli.command;

import dev.smelt.compress.prune.Schedule;
import dev.smelt.formats.UsageException;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options of pruning in steps. */
final class ScheduleMixin {

  /** What {@code --schedule} takes. */
  enum Name {
    CUBIC;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Option(
      names = "--schedule",
      paramLabel = "cubic",
      description =
          "Reach the sparsity in --steps, with statistics gathered anew on --train before each:"
              + " s(1 - (1 - k/K)^3) after step k of K.")
  private @Nullable Name name;

  @Option(names = "--steps", paramLabel = "K", description = "Of --schedule (10).")
  private @Nullable Integer steps;

  private static final int STEPS = 10;

  boolean isGiven() {
    return name != null;
  }

  /**
   * What can be said before any file is opened.
   *
   * @param hasStatistics whether there is a file of them
   * @param what is pruned
   */
  void check(boolean hasStatistics, boolean hasTraining, PruneMixin what) {
    if (name == null) {
      Useless.refuse("--steps", steps != null, "without --schedule");
      return;
    }
    var _ = schedule();
    Useless.refuse(
        "--schedule",
        !what.needsStatistics(),
        "with --criterion " + what.criterion().name() + ", whose scores stay what they are");
    Useless.refuse("--schedule", what.hasGroups(), "with groups, which have one sparsity");
    Useless.refuse("--stats", hasStatistics, "with --schedule, which gathers them");
    if (!hasTraining) {
      throw new UsageException("--schedule needs data to gather statistics on", "give --train");
    }
  }

  Optional<Schedule> schedule() {
    return name == null
        ? Optional.empty()
        : Optional.of(new Schedule(steps == null ? STEPS : steps));
  }

  /** For the manifest. */
  void describe(Map<String, Object> parameters) {
    if (name != null) {
      parameters.put("schedule", name.toString());
      parameters.put("steps", steps == null ? STEPS : steps);
    }
  }
}
