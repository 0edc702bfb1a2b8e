package dev.smelt.cli.command;

import dev.smelt.compress.prune.Allocation;
import dev.smelt.compress.prune.Contribution;
import dev.smelt.compress.prune.Criterion;
import dev.smelt.compress.prune.FisherLoss;
import dev.smelt.compress.prune.InputGram;
import dev.smelt.compress.prune.Magnitude;
import dev.smelt.compress.prune.Method;
import dev.smelt.compress.prune.Obs;
import dev.smelt.compress.prune.Pattern;
import dev.smelt.compress.prune.PruneOptions;
import dev.smelt.compress.prune.PruneSelection;
import dev.smelt.compress.prune.Scope;
import dev.smelt.compress.prune.Wanda;
import dev.smelt.compress.structure.StructureOptions;
import dev.smelt.compress.structure.StructurePattern;
import dev.smelt.compress.structure.UnitScoring;
import dev.smelt.formats.DType;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say which weights go, and how many. */
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

  @Option(
      names = "--criterion",
      paramLabel = "NAME",
      description =
          "Which weights go first: magnitude |w|; fisher 1/2 F w^2; wanda |w| times the norm of its"
              + " input; contribution, the weight's part of its output; obs and sparsegpt by what the others can make up for, which they then do:"
              + " all others of the output, or those of later inputs; block-entropy: blocks that add"
              + " least to the entropy of hidden states (magnitude).")
  private CriterionName criterion = CriterionName.MAGNITUDE;

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
      names = "--compensate",
      description =
          "Whatever the criterion, let the weights that stay make up for those that go; needs"
              + " input-gram statistics.")
  private boolean compensate;

  @Option(
      names = "--damping",
      paramLabel = "D",
      description =
          "Of obs, sparsegpt and --compensate: added to the diagonal of Gram matrices, as a share of"
              + " its mean (0.01).")
  private @Nullable Double damping;

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
    if (Target.parse(pattern) instanceof Target.Weights(Pattern.Groups groups)) {
      String why = "with --pattern " + groups + ", which takes " + groups.sparsity();
      Useless.refuse("--sparsity", sparsity != null, why);
      Useless.refuse("--max-loss-increase", maxLossIncrease != null, why);
      Useless.refuse("--scope", scope != null, "with --pattern " + groups);
    } else if ((sparsity == null) == (maxLossIncrease == null)) {
      throw new UsageException(
          "one of --sparsity and --max-loss-increase is needed", "give --sparsity 0.5");
    }
    if (Target.parse(pattern) instanceof Target.Units(StructurePattern units)) {
      checkUnits(units);
    } else {
      Useless.refuse("--multiple", multiple != null, "with --pattern " + pattern);
      if (criterion == CriterionName.BLOCK_ENTROPY) {
        throw new UsageException("--criterion block-entropy scores blocks", "use --pattern blocks");
      }
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
    if (maxLossIncrease != null && !hasData) {
      throw new UsageException(
          "--max-loss-increase needs data to measure the loss on", "give --data");
    }
    Useless.refuse(
        "--compensate",
        compensate && criterion.compensates(),
        "with --criterion " + criterion + ", which does it already");
    Useless.refuse("--damping", damping != null && !compensates(), "without --compensate");
    boolean needed = needsStatistics();
    if (needed && !hasStatistics && !gathers) {
      throw new UsageException(
          (criterion.needsStatistics()
                  ? "--criterion " + criterion
                  : compensate ? "--compensate" : "--allocation loss")
              + " needs statistics",
          "give --stats FILE; smelt fisher computes it");
    }
    Useless.refuse("--stats", hasStatistics && !needed, "with --criterion " + criterion);
    if (Target.parse(pattern) instanceof Target.Weights) {
      var _ = options(Optional.empty());
    }
    if (damping != null) {
      requireDamping(damping);
    }
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
    if (compensate) {
      throw new UsageException(
          "--compensate is of single weights", "use --criterion obs with --pattern " + units);
    }
  }

  private static void requireDamping(double damping) {
    if (!(damping > 0) || Double.isInfinite(damping)) {
      throw new UsageException("--damping " + damping + " is out of range", "use 1e-6 to 1");
    }
  }

  boolean needsStatistics() {
    return criterion.needsStatistics() || compensate || allocation == Allocation.LOSS;
  }

  private boolean compensates() {
    return compensate || criterion.compensates();
  }

  /** What has to be known of the data. */
  Set<Statistic> statistics() {
    Set<Statistic> needed = EnumSet.noneOf(Statistic.class);
    needed.addAll(criterion.statistics());
    if (allocation == Allocation.LOSS) {
      needed.add(Statistic.DIAG);
    }
    if (compensates()) {
      needed.add(Statistic.INPUT_GRAM);
    }
    return needed;
  }

  CriterionName criterion() {
    return criterion;
  }

  OptionalDouble maxLossIncrease() {
    return maxLossIncrease == null ? OptionalDouble.empty() : OptionalDouble.of(maxLossIncrease);
  }

  /** The share that goes, where it need not be looked for. */
  double sparsity() {
    return sparsity != null
        ? sparsity
        : Target.parse(pattern) instanceof Target.Weights(Pattern.Groups groups)
            ? groups.sparsity()
            : 0;
  }

  boolean hasGroups() {
    return Target.parse(pattern) instanceof Target.Weights(Pattern.Groups _);
  }

  boolean leavesOutUnits() {
    return Target.parse(pattern) instanceof Target.Units;
  }

  /** Of {@link #leavesOutUnits units}. */
  StructureOptions structure(Optional<DType> dtype) {
    if (!(Target.parse(pattern) instanceof Target.Units(StructurePattern units))) {
      throw new IllegalStateException("weights are no units");
    }
    return new StructureOptions(
        units, multiple == null ? 1 : multiple, scope == Scope.GLOBAL, dtype);
  }

  /** Likewise. */
  UnitScoring scoring(Optional<Statistics> statistics, Supplier<ComputeDevice> device) {
    return switch (criterion) {
      case OBS, SPARSEGPT ->
          new UnitScoring.Surgeon(
              statistics.orElseThrow(),
              damping == null ? UnitScoring.Surgeon.USUAL_DAMPING : damping,
              device.get());
      case BLOCK_ENTROPY -> new UnitScoring.Entropy(statistics.orElseThrow());
      case MAGNITUDE, FISHER, WANDA, CONTRIBUTION ->
          new UnitScoring.Summed(criterion(statistics, device));
    };
  }

  PruneOptions options(Optional<DType> dtype) {
    return new PruneOptions(
        new PruneSelection(include, exclude),
        weights(),
        scope == null ? criterion.scope() : scope,
        allocation == null ? Allocation.UNIFORM : allocation,
        dtype);
  }

  private Pattern weights() {
    if (!(Target.parse(pattern) instanceof Target.Weights(Pattern weights))) {
      throw new IllegalStateException("units are no weights");
    }
    return weights;
  }

  Method method(Optional<Statistics> statistics, Supplier<ComputeDevice> device) {
    if (!compensates()) {
      return new Method.ByScore(criterion(statistics, device));
    }
    return criterion == CriterionName.SPARSEGPT
        ? new Method.Sequential(gram(statistics))
        : new Method.Refitted(criterion(statistics, device), gram(statistics));
  }

  private Criterion criterion(Optional<Statistics> statistics, Supplier<ComputeDevice> device) {
    return switch (criterion) {
      case MAGNITUDE -> new Magnitude();
      case FISHER -> new FisherLoss(statistics.orElseThrow());
      case WANDA -> new Wanda(statistics.orElseThrow());
      case CONTRIBUTION -> new Contribution(statistics.orElseThrow());
      case OBS -> new Obs(gram(statistics), device);
      case SPARSEGPT, BLOCK_ENTROPY ->
          throw new IllegalStateException(criterion + " has no scores of weights");
    };
  }

  private InputGram gram(Optional<Statistics> statistics) {
    return new InputGram(statistics.orElseThrow(), damping == null ? InputGram.DAMPING : damping);
  }

  /** For the manifest. */
  void describe(Map<String, Object> parameters) {
    parameters.put("criterion", criterion.toString());
    parameters.put("pattern", pattern);
    if (sparsity != null) {
      parameters.put("sparsity", sparsity);
    }
    if (maxLossIncrease != null) {
      parameters.put("maxLossIncrease", maxLossIncrease);
    }
    if (leavesOutUnits()) {
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
    parameters.put("compensate", compensates());
    if (compensates()) {
      parameters.put("damping", damping == null ? InputGram.DAMPING : damping);
    }
  }
}
