package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.DiffReport.Score;
import dev.smelt.cli.text.Format;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What a model is judged by. */
enum Measure {
  SIZE("size"),
  PACKED("packed"),
  PARAMETERS("parameters"),
  LOSS("loss"),
  PERPLEXITY("perplexity"),
  ACCURACY("accuracy"),
  TOKENS_PER_SECOND("tokens/s"),
  EXAMPLES_PER_SECOND("examples/s");

  /** The measures that need data, in the order they are shown. */
  static final List<Measure> OF_DATA =
      List.of(LOSS, PERPLEXITY, ACCURACY, TOKENS_PER_SECOND, EXAMPLES_PER_SECOND);

  /** Runs of one model on an idle machine differ by this share of their speed. */
  private static final double NOISE_OF_SPEED = 0.05;

  /** How a change is to be taken. */
  enum Verdict {
    BETTER,
    WORSE,
    SAME
  }

  private final String label;

  Measure(String label) {
    this.label = label;
  }

  String label() {
    return label;
  }

  /** Null where the model was not measured. */
  @Nullable Double of(Model model) {
    return switch (this) {
      case SIZE -> (double) model.bytes();
      case PACKED -> (double) model.fileBytes();
      case PARAMETERS -> (double) model.parameters();
      case LOSS -> model.loss();
      case PERPLEXITY -> model.perplexity();
      case ACCURACY -> model.accuracy();
      case TOKENS_PER_SECOND -> model.tokensPerSecond();
      case EXAMPLES_PER_SECOND -> model.examplesPerSecond();
    };
  }

  /** On one data set; size and parameters do not depend on data. */
  @Nullable Double of(Score score) {
    return switch (this) {
      case LOSS -> score.loss();
      case PERPLEXITY -> score.perplexity();
      case ACCURACY -> score.accuracy();
      case TOKENS_PER_SECOND -> score.tokensPerSecond();
      case EXAMPLES_PER_SECOND -> score.examplesPerSecond();
      case SIZE, PACKED, PARAMETERS ->
          throw new IllegalArgumentException(label + " is of a model, not of a score");
    };
  }

  String format(double value) {
    return switch (this) {
      case SIZE, PACKED -> Format.bytes((long) value);
      case PARAMETERS -> Format.count((long) value);
      case LOSS -> Format.fixed(value, 4);
      case PERPLEXITY -> Format.grouped(value, 2);
      case ACCURACY -> Format.percent(value, 2);
      case TOKENS_PER_SECOND -> Format.grouped(value, 0);
      case EXAMPLES_PER_SECOND -> Format.grouped(value, 1);
    };
  }

  /**
   * Relative for size, parameters and speed, percentage points (pp) for accuracy, else the
   * difference.
   */
  String change(double before, double after) {
    double difference = before == after ? 0 : after - before;
    return switch (this) {
      case SIZE, PACKED, PARAMETERS, TOKENS_PER_SECOND, EXAMPLES_PER_SECOND ->
          before == 0 && difference != 0
              ? "new"
              : Format.signed(difference == 0 ? 0 : 100 * difference / before, 1, " %");
      case LOSS -> Format.signed(difference, 4, "");
      case PERPLEXITY -> Format.signed(difference, 2, "");
      case ACCURACY -> Format.signed(100 * difference, 2, " pp");
    };
  }

  Verdict verdict(double before, double after) {
    if (before == after || (Double.isNaN(before) && Double.isNaN(after))) {
      return Verdict.SAME;
    }
    if (Double.isNaN(after)) {
      return Verdict.WORSE;
    }
    if (isSpeed() && Math.abs(after - before) <= NOISE_OF_SPEED * before) {
      return Verdict.SAME;
    }
    return higherIsBetter() == after > before ? Verdict.BETTER : Verdict.WORSE;
  }

  boolean higherIsBetter() {
    return this == ACCURACY || isSpeed();
  }

  boolean isSpeed() {
    return this == TOKENS_PER_SECOND || this == EXAMPLES_PER_SECOND;
  }

  /** Those that at least one of the models has; sizes in files where they are others. */
  static List<Measure> knownIn(List<Model> models) {
    boolean packed = models.stream().anyMatch(model -> model.packedBytes() != null);
    return Stream.of(values())
        .filter(measure -> measure != PACKED || packed)
        .filter(measure -> models.stream().anyMatch(model -> measure.of(model) != null))
        .toList();
  }
}
