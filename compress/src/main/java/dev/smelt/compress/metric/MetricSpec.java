package dev.smelt.compress.metric;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.statistics.Statistic;
import dev.smelt.gpu.statistics.Statistics;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A metric by name and options, before its statistics are at hand; as manifests record it.
 *
 * @param side of {@link Kind#FISHER}, else null
 * @param damping of {@link Kind#ACTIVATION} and {@link Kind#KRONECKER}, else null
 */
public record MetricSpec(Kind kind, @Nullable Side side, @Nullable Double damping) {

  /** As in {@code --metric}. */
  public enum Kind {
    PLAIN,
    FISHER,
    ACTIVATION,
    KRONECKER;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Fills in defaults.
   *
   * @throws UsageException when an option has no effect with the metric
   */
  public static MetricSpec of(Kind kind, @Nullable Side side, @Nullable Double damping) {
    boolean grams = kind == Kind.ACTIVATION || kind == Kind.KRONECKER;
    if (side != null && kind != Kind.FISHER) {
      throw new UsageException(
          "--side has no effect with --metric " + kind, "leave it out or use --metric fisher");
    }
    if (damping != null && !grams) {
      throw new UsageException(
          "--damping has no effect with --metric " + kind,
          "leave it out or use --metric kronecker");
    }
    return new MetricSpec(
        kind,
        kind == Kind.FISHER && side == null ? Side.INPUT : side,
        grams && damping == null ? Double.valueOf(KroneckerMetric.DEFAULT_DAMPING) : damping);
  }

  /** The metric that makes most of what the statistics hold. */
  public static Kind bestFor(Statistics statistics) {
    boolean inputs = statistics.has(Statistic.INPUT_GRAM);
    if (inputs && statistics.has(Statistic.GRAD_GRAM)) {
      return Kind.KRONECKER;
    }
    boolean lines = statistics.has(Statistic.ROWS) && statistics.has(Statistic.COLS);
    if (statistics.has(Statistic.DIAG) || lines) {
      return Kind.FISHER;
    }
    if (inputs) {
      return Kind.ACTIVATION;
    }
    throw new UsageException(
        "no metric uses what " + statistics.path() + " holds",
        "compute it with smelt fisher --stats input-gram,grad-gram");
  }

  /**
   * @param statistics present unless the metric is plain
   */
  public Metric metric(Optional<Statistics> statistics) {
    return switch (kind) {
      case PLAIN -> new PlainMetric();
      case FISHER -> new FisherMetric(statistics.orElseThrow(), given(side));
      case ACTIVATION -> new ActivationMetric(statistics.orElseThrow(), given(damping));
      case KRONECKER -> new KroneckerMetric(statistics.orElseThrow(), given(damping));
    };
  }

  private static <T> T given(@Nullable T value) {
    if (value == null) {
      throw new IllegalStateException("a metric without its option");
    }
    return value;
  }

  /** The damping of Gram matrices, also where the metric itself has none. */
  public double dampingOrDefault() {
    return damping == null ? KroneckerMetric.DEFAULT_DAMPING : damping;
  }

  /** For manifests. */
  public Map<String, Object> parameters() {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("metric", kind.toString());
    if (side != null) {
      parameters.put("side", side.toString());
    }
    if (damping != null) {
      parameters.put("damping", damping);
    }
    return parameters;
  }

  /**
   * Reads what {@link #parameters} wrote.
   *
   * @throws CorruptException when it says no metric
   */
  public static MetricSpec parse(Map<String, Object> parameters, String where) {
    @Nullable Kind kind = named(Kind.values(), parameters.get("metric"));
    @Nullable Side side = named(Side.values(), parameters.get("side"));
    @Nullable Double damping =
        parameters.get("damping") instanceof Number number ? number.doubleValue() : null;
    boolean grams = kind == Kind.ACTIVATION || kind == Kind.KRONECKER;
    if (kind == null || (kind == Kind.FISHER) != (side != null) || grams != (damping != null)) {
      throw new CorruptException(
          "manifest without a metric",
          where,
          "expected metric with its side or damping, found " + parameters,
          "write the checkpoint again");
    }
    return new MetricSpec(kind, side, damping);
  }

  private static <T> @Nullable T named(T[] values, @Nullable Object found) {
    return Arrays.stream(values)
        .filter(value -> value.toString().equals(found))
        .findFirst()
        .orElse(null);
  }
}
