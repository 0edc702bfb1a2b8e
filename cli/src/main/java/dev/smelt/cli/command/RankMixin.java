package dev.smelt.cli.command;

import dev.smelt.cli.Units;
import dev.smelt.compress.factorize.ByteBudget;
import dev.smelt.compress.factorize.ErrorLimit;
import dev.smelt.compress.factorize.RankGrid;
import dev.smelt.compress.factorize.RankPolicy;
import dev.smelt.compress.factorize.TotalKeep;
import dev.smelt.compress.factorize.UniformKeep;
import dev.smelt.formats.UsageException;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** Options that say how much of each matrix is kept. */
final class RankMixin {

  @ArgGroup(exclusive = true, multiplicity = "1")
  private Amount amount = new Amount();

  /** Exactly one way of saying it. */
  static final class Amount {
    @Option(
        names = "--keep",
        paramLabel = "SHARE",
        description = "Keep this share of each matrix's elements, in (0, 1].")
    private @Nullable Double keep;

    @Option(
        names = "--keep-total",
        paramLabel = "SHARE",
        description =
            "Keep this share of the bytes of all these matrices together, spent where it saves most"
                + " of the predicted loss.")
    private @Nullable Double keepTotal;

    @Option(
        names = "--budget",
        paramLabel = "SIZE",
        description = "As --keep-total, with all tensors of the output within SIZE (120MB).")
    private @Nullable String budget;

    @Option(
        names = "--max-error",
        paramLabel = "ERROR",
        description =
            "Smallest rank whose relative error in the metric, as written, is at most this.")
    private @Nullable Double maxError;

    @Option(
        names = "--max-loss-increase",
        paramLabel = "NATS",
        description =
            "As --keep-total, with the smallest share at which the loss on --data rises by at most"
                + " this.")
    private @Nullable Double maxLossIncrease;
  }

  @Option(
      names = "--rank-multiple",
      paramLabel = "N",
      description = "Choose ranks that are multiples of N, such as 8 or 64 (1).")
  private int rankMultiple = 1;

  @Option(
      names = "--allow-larger",
      description = "Write factors even where they take more bytes than the matrix.")
  private boolean allowLarger;

  RankGrid grid() {
    return new RankGrid(rankMultiple, allowLarger);
  }

  /** In nats; where it is given the policy is to be searched for. */
  OptionalDouble maxLossIncrease() {
    if (amount.maxLossIncrease == null) {
      return OptionalDouble.empty();
    }
    double limit = amount.maxLossIncrease;
    if (!(limit >= 0) || Double.isInfinite(limit)) {
      throw new UsageException(
          "--max-loss-increase " + limit + " is out of range", "use a number of nats, 0 or more");
    }
    return OptionalDouble.of(limit);
  }

  /** Empty where it is to be searched for. */
  Optional<RankPolicy> policy() {
    if (amount.keep != null) {
      return Optional.of(new UniformKeep(amount.keep));
    }
    if (amount.keepTotal != null) {
      return Optional.of(requireSmaller(new TotalKeep(amount.keepTotal)));
    }
    if (amount.budget != null) {
      long bytes = Units.bytes("--budget", amount.budget);
      return Optional.of(requireSmaller(new ByteBudget(bytes)));
    }
    if (amount.maxError != null) {
      return Optional.of(new ErrorLimit(amount.maxError));
    }
    if (allowLarger) {
      requireSmaller(new TotalKeep(1));
    }
    return Optional.empty();
  }

  private RankPolicy requireSmaller(RankPolicy policy) {
    if (allowLarger) {
      throw new UsageException(
          "--allow-larger has no effect where bytes are shared out",
          "leave it out, or use --keep or --max-error");
    }
    return policy;
  }

  /** For the manifest. */
  void describe(Map<String, Object> parameters) {
    put(parameters, "keep", amount.keep);
    put(parameters, "keepTotal", amount.keepTotal);
    if (amount.budget != null) {
      parameters.put("budget", Units.bytes("--budget", amount.budget));
    }
    put(parameters, "maxError", amount.maxError);
    put(parameters, "maxLossIncrease", amount.maxLossIncrease);
    parameters.put("rankMultiple", rankMultiple);
    parameters.put("allowLarger", allowLarger);
  }

  private static void put(Map<String, Object> parameters, String name, @Nullable Object value) {
    if (value != null) {
      parameters.put(name, value);
    }
  }
}
