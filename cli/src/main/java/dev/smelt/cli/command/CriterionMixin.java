package dev.smelt.cli.command;

import dev.smelt.compress.prune.Contribution;
import dev.smelt.compress.prune.Criterion;
import dev.smelt.compress.prune.FisherLoss;
import dev.smelt.compress.prune.InputGram;
import dev.smelt.compress.prune.Magnitude;
import dev.smelt.compress.prune.Method;
import dev.smelt.compress.prune.Obs;
import dev.smelt.compress.prune.Scope;
import dev.smelt.compress.prune.Wanda;
import dev.smelt.compress.structure.UnitScoring;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say which weights go first, and what the others do then. */
final class CriterionMixin {

  @Option(
      names = "--criterion",
      paramLabel = "NAME",
      description =
          "Which weights go first: magnitude |w|; fisher 1/2 F w^2; wanda |w| times the norm of its"
              + " input; contribution, the weight's part of its output; obs and sparsegpt by what"
              + " the others can make up for, which they then do: all others of the output, or"
              + " those of later inputs; block-entropy: blocks that add least to the entropy of"
              + " hidden states (magnitude).")
  private CriterionName criterion = CriterionName.MAGNITUDE;

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

  /**
   * What can be said before any file is opened.
   *
   * @throws UsageException when options do not go together
   */
  void check() {
    Useless.refuse(
        "--compensate",
        compensate && criterion.compensates(),
        "with --criterion " + criterion + ", which does it already");
    Useless.refuse("--damping", damping != null && !compensates(), "without --compensate");
    if (damping != null) {
      InputGram.requireDamping(damping);
    }
  }

  CriterionName name() {
    return criterion;
  }

  Scope usualScope() {
    return criterion.scope();
  }

  /** Whether {@code --compensate} was given. */
  boolean isMadeToCompensate() {
    return compensate;
  }

  /** Whether the weights that stay make up for those that go. */
  boolean compensates() {
    return compensate || criterion.compensates();
  }

  /** What has to be known of the data. */
  Set<Statistic> statistics() {
    Set<Statistic> needed = EnumSet.noneOf(Statistic.class);
    needed.addAll(criterion.statistics());
    if (compensates()) {
      needed.add(Statistic.INPUT_GRAM);
    }
    return needed;
  }

  /** Of units. */
  UnitScoring scoring(Optional<Statistics> statistics, Supplier<ComputeDevice> device) {
    return switch (criterion) {
      case OBS, SPARSEGPT -> new UnitScoring.Surgeon(gram(statistics), device.get());
      case BLOCK_ENTROPY -> new UnitScoring.Entropy(statistics.orElseThrow());
      case MAGNITUDE, FISHER, WANDA, CONTRIBUTION ->
          new UnitScoring.Summed(criterion(statistics, device));
    };
  }

  /** Of single weights. */
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
    parameters.put("compensate", compensates());
    if (compensates()) {
      parameters.put("damping", damping == null ? InputGram.DAMPING : damping);
    }
  }
}
