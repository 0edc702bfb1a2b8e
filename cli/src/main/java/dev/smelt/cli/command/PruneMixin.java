package dev.smelt.cli.command;

import dev.smelt.compress.prune.Allocation;
import dev.smelt.compress.prune.Pattern;
import dev.smelt.compress.prune.PruneOptions;
import dev.smelt.compress.prune.PruneSelection;
import dev.smelt.compress.prune.Scope;
import dev.smelt.compress.structure.StructureOptions;
import dev.smelt.compress.structure.StructurePattern;
import dev.smelt.formats.DType;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistic;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options that say how many weights go, and of what. */
final class PruneMixin {

  @Option(
      names = "--sparsity",
      paramLabel = "SHARE",
      description = "Take this share of the weights, in (0, 1); of --pattern N:M it is 1 - N/M.")
  private @Nullable Double sparsity;

  @Option(
      names = "--max-loss-increase",
      paramLabel = "NATS",
      description =
          "In place of --sparsity: the largest share at which the loss on --data rises by at most"
              + " this.")
  private @Nullable Double maxLossIncrease;

  @Mixin private CriterionMixin criterion = new CriterionMixin();

  @Option(
      names = "--pattern",
      paramLabel = "NAME",
      description =
          "unstructured; N:M, such as 2:4: at most N of M neighbouring weights of an output stay;"
              + " neurons, heads, blocks: hidden units, heads of attention or whole blocks are left"
              + " out, and the checkpoint becomes smaller (unstructured).")
  private String pattern = "unstructured";

  @Option(
      names = "--scope",
      paramLabel = "global|tensor|row",
      description =
          "Among which weights the smallest scores are looked for: of all tensors, of each tensor,"
              + " of each output (magnitude, fisher: global; wanda, contribution: row; obs,"
              + " sparsegpt: tensor).")
  private @Nullable Scope scope;

  @Option(
      names = "--multiple",
      paramLabel = "M",
      description =
          "Of neurons, heads and blocks: what stays is rounded up to a multiple of M (1).")
  private @Nullable Integer multiple;

  @Option(
      names = "--allocation",
      paramLabel = "uniform|loss",
      description =
          "Of --scope tensor and row: the same share of every tensor, or as the smallest predicted"
              + " losses 1/2 F w^2 of all of them are spread (uniform).")
  private @Nullable Allocation allocation;

  @Option(
      names = "--include",
      paramLabel = "GLOB",
      description = "Prune tensors whose name matches (attention and feed-forward matrices).")
  private List<String> include = new ArrayList<>();

  @Option(names = "--exclude", paramLabel = "GLOB", description = "Leave these tensors alone.")
  private List<String> exclude = new ArrayList<>();

  /**
   * What can be said before any file is opened.
   *
   * @param gathers whether statistics are gathered on the way
   * @throws UsageException when options do not go together
   */
  void check(boolean hasStatistics, boolean hasData, boolean gathers) {
    switch (target()) {
      case Target.Units(StructurePattern units) -> {
        checkShare();
        checkUnits(units);
      }
      case Target.Weights(Pattern.Groups groups) -> {
        String why = "with --pattern " + groups + ", which takes " + groups.sparsity();
        Useless.refuse("--sparsity", sparsity != null, why);
        Useless.refuse("--max-loss-increase", maxLossIncrease != null, why);
        Useless.refuse("--scope", scope != null, "with --pattern " + groups);
        checkWeights();
      }
      case Target.Weights _ -> {
        checkShare();
        checkWeights();
      }
    }
    if (maxLossIncrease != null && !hasData) {
      throw new UsageException(
          "--max-loss-increase needs data to measure the loss on", "give --data");
    }
    criterion.check();
    checkStatistics(hasStatistics, gathers);
  }

  private void checkShare() {
    if ((sparsity == null) == (maxLossIncrease == null)) {
      throw new UsageException(
          "one of --sparsity and --max-loss-increase is needed", "give --sparsity 0.5");
    }
    if (sparsity != null && !(sparsity > 0 && sparsity < 1)) {
      throw new UsageException(
          "--sparsity " + sparsity + " is out of range", "use a share above 0 and below 1");
    }
    if (maxLossIncrease != null && !(maxLossIncrease >= 0 && maxLossIncrease < 1e9)) {
      throw new UsageException(
          "--max-loss-increase " + maxLossIncrease + " is out of range",
          "use a number of nats, 0 or more");
    }
  }

  private void checkWeights() {
    Useless.refuse("--multiple", multiple != null, "with --pattern " + pattern);
    if (criterion.name() == CriterionName.BLOCK_ENTROPY) {
      throw new UsageException("--criterion block-entropy scores blocks", "use --pattern blocks");
    }
    var _ = options(Optional.empty());
  }

  private void checkUnits(StructurePattern units) {
    String why = "with --pattern " + units;
    Useless.refuse("--allocation", allocation != null, why);
    Useless.refuse("--include", !include.isEmpty(), why);
    Useless.refuse("--exclude", !exclude.isEmpty(), why);
    Useless.refuse("--scope", scope != null && units == StructurePattern.BLOCKS, why);
    if (scope == Scope.ROW) {
      throw new UsageException(
          "--scope row has no meaning for " + units.units(), "use --scope tensor or global");
    }
    if (criterion.isMadeToCompensate()) {
      throw new UsageException(
          "--compensate is of single weights", "use --criterion obs with --pattern " + units);
    }
  }

  private void checkStatistics(boolean given, boolean gathers) {
    if (needsStatistics() && !given && !gathers) {
      throw new UsageException(
          (criterion.name().needsStatistics()
                  ? "--criterion " + criterion.name()
                  : criterion.isMadeToCompensate() ? "--compensate" : "--allocation loss")
              + " needs statistics",
          "give --stats FILE; smelt fisher computes it");
    }
    Useless.refuse("--stats", given && !needsStatistics(), "with --criterion " + criterion.name());
  }

  private Target target() {
    return Target.parse(pattern);
  }

  CriterionMixin criterion() {
    return criterion;
  }

  boolean needsStatistics() {
    return !statistics().isEmpty();
  }

  /** What has to be known of the data. */
  Set<Statistic> statistics() {
    Set<Statistic> needed = criterion.statistics();
    if (allocation == Allocation.LOSS) {
      needed.add(Statistic.DIAG);
    }
    return needed;
  }

  OptionalDouble maxLossIncrease() {
    return maxLossIncrease == null ? OptionalDouble.empty() : OptionalDouble.of(maxLossIncrease);
  }

  /** The share that goes, where it need not be looked for. */
  double sparsity() {
    if (sparsity != null) {
      return sparsity;
    }
    return target() instanceof Target.Weights(Pattern.Groups groups) ? groups.sparsity() : 0;
  }

  boolean hasGroups() {
    return target() instanceof Target.Weights(Pattern.Groups _);
  }

  /** How units are left out, where that is what is done. */
  Optional<StructureOptions> structure(Optional<DType> dtype) {
    return target() instanceof Target.Units(StructurePattern units)
        ? Optional.of(
            new StructureOptions(
                units, multiple == null ? 1 : multiple, scope == Scope.GLOBAL, dtype))
        : Optional.empty();
  }

  /**
   * How single weights go.
   *
   * @throws IllegalStateException when they do not
   */
  PruneOptions options(Optional<DType> dtype) {
    if (!(target() instanceof Target.Weights(Pattern weights))) {
      throw new IllegalStateException(pattern + " are no weights");
    }
    return new PruneOptions(
        new PruneSelection(include, exclude),
        weights,
        scope == null ? criterion.usualScope() : scope,
        allocation == null ? Allocation.UNIFORM : allocation,
        dtype);
  }

  /** For the manifest. */
  void describe(Map<String, Object> parameters) {
    parameters.put("criterion", criterion.name().toString());
    parameters.put("pattern", pattern);
    if (sparsity != null) {
      parameters.put("sparsity", sparsity);
    }
    if (maxLossIncrease != null) {
      parameters.put("maxLossIncrease", maxLossIncrease);
    }
    if (target() instanceof Target.Units) {
      parameters.put("scope", scope == Scope.GLOBAL ? "global" : "tensor");
      parameters.put("multiple", multiple == null ? 1 : multiple);
    } else {
      PruneOptions options = options(Optional.empty());
      if (!hasGroups()) {
        parameters.put("scope", options.scope().toString());
        parameters.put("allocation", options.allocation().toString());
      }
      parameters.put("include", include);
      parameters.put("exclude", exclude);
    }
    criterion.describe(parameters);
  }
}
