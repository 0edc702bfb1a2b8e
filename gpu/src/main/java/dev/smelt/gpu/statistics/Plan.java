package dev.smelt.gpu.statistics;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.gradient.MatrixForm;
import dev.smelt.gpu.layer.Use;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What a statistics file will hold, known before the first example.
 *
 * @param entries by parameter, in the order of the forward pass
 * @param leftOut what was asked for and is not there, with the reason
 */
record Plan(List<Entry> entries, List<String> leftOut) {

  /** Gram matrices of more rows, a gigabyte each, are for nobody. */
  static final long MAX_GRAM_ORDER = 16_384;

  /**
   * One tensor of the file.
   *
   * @param parameter it is about
   * @param form of the parameter, if it is a matrix
   * @param fromDiagonal whether it is a sum over the diagonal, which is estimated as well
   */
  record Entry(
      Statistic statistic,
      TensorInfo stored,
      String parameter,
      Optional<MatrixForm> form,
      boolean fromDiagonal) {}

  Plan {
    entries = List.copyOf(entries);
    leftOut = List.copyOf(leftOut);
  }

  /**
   * @param uses of every parameter in a forward pass
   * @throws UsageException when nothing of what is asked for can be had
   */
  static Plan of(
      List<TensorInfo> parameters, Map<String, List<Use>> uses, Set<Statistic> statistics) {
    List<Entry> entries = new ArrayList<>();
    List<String> leftOut = new ArrayList<>();
    for (TensorInfo parameter : parameters) {
      List<Use> used = uses.getOrDefault(parameter.name(), List.of());
      Optional<MatrixForm> form = MatrixForm.of(parameter, used);
      for (Statistic statistic : statistics) {
        Optional<Shape> shape = shape(statistic, parameter, form);
        if (shape.isEmpty()) {
          if (isGram(statistic)
              && form.isPresent()
              && used.stream().anyMatch(Use.Whole.class::isInstance)) {
            leftOut.add("%s: no %s of what is used whole".formatted(parameter.name(), statistic));
          }
          continue;
        }
        String name = statistic.tensorName(parameter.name());
        if (isGram(statistic) && shape.get().size(0) > MAX_GRAM_ORDER) {
          leftOut.add(
              "%s: a %s of order %,d is above %,d"
                  .formatted(parameter.name(), statistic, shape.get().size(0), MAX_GRAM_ORDER));
          continue;
        }
        boolean lines = statistic == Statistic.ROWS || statistic == Statistic.COLS;
        entries.add(
            new Entry(
                statistic,
                new TensorInfo(name, DType.F32, shape.get()),
                parameter.name(),
                form,
                lines && statistics.contains(Statistic.DIAG)));
      }
    }
    if (entries.isEmpty()) {
      throw new UsageException(
          "this network has none of " + statistics,
          "Gram matrices need linear layers that are known; a script has none");
    }
    return new Plan(entries, leftOut);
  }

  private static boolean isGram(Statistic statistic) {
    return statistic == Statistic.INPUT_GRAM || statistic == Statistic.GRAD_GRAM;
  }

  /** Empty where a parameter does not have the statistic. */
  private static Optional<Shape> shape(
      Statistic statistic, TensorInfo parameter, Optional<MatrixForm> form) {
    return switch (statistic) {
      case DIAG, MEAN_GRADIENT -> Optional.of(parameter.shape());
      case ROWS -> form.map(matrix -> Shape.of(matrix.out()));
      case COLS -> form.map(matrix -> Shape.of(matrix.in()));
      case INPUT_GRAM ->
          form.filter(MatrixForm::linear).map(matrix -> Shape.of(matrix.in(), matrix.in()));
      case GRAD_GRAM ->
          form.filter(MatrixForm::linear).map(matrix -> Shape.of(matrix.out(), matrix.out()));
    };
  }

  /** Entries that are added up over the data. */
  List<Entry> estimated() {
    return entries.stream().filter(entry -> !entry.fromDiagonal()).toList();
  }

  /** What the running sums take, in f64. */
  long sumBytes() {
    return estimated().stream().mapToLong(entry -> entry.stored().elements() * Double.BYTES).sum();
  }

  /** The statistic whose sum tells how sure the estimate is. */
  static boolean isWatched(Entry entry, Set<Statistic> statistics) {
    if (statistics.contains(Statistic.DIAG)) {
      return entry.statistic() == Statistic.DIAG;
    }
    return statistics.contains(Statistic.ROWS)
        ? entry.statistic() == Statistic.ROWS
        : entry.statistic() == Statistic.COLS;
  }
}
