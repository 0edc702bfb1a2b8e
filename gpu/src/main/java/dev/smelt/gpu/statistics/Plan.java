package dev.smelt.gpu.statistics;

import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.gradient.MatrixForm;
import dev.smelt.gpu.layer.Use;
import java.util.ArrayList;
import java.util.List;
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
   * @param summed shape of the running sum it comes from
   * @param parameter it is about; of hidden states their number
   * @param form of the parameter, if it is a matrix
   * @param fromDiagonal whether it is a sum over the diagonal, which is estimated as well
   */
  record Entry(
      Statistic statistic,
      TensorInfo stored,
      Shape summed,
      String parameter,
      Optional<MatrixForm> form,
      boolean fromDiagonal) {}

  Plan {
    entries = List.copyOf(entries);
    leftOut = List.copyOf(leftOut);
  }

  /**
   * @param sampled positions whose hidden states are kept
   * @throws UsageException when nothing of what is asked for can be had
   */
  static Plan of(List<TensorInfo> parameters, Probe probe, int sampled, Set<Statistic> statistics) {
    List<Entry> entries = new ArrayList<>();
    List<String> leftOut = new ArrayList<>();
    for (TensorInfo parameter : parameters) {
      List<Use> used = probe.uses().getOrDefault(parameter.name(), List.of());
      Optional<MatrixForm> form = MatrixForm.of(parameter, used);
      for (Statistic statistic : statistics) {
        Optional<Shape> shape = shape(statistic, parameter, form);
        if (shape.isEmpty()) {
          if (statistic.isOfLinearMaps() && form.isPresent()) {
            boolean whole = used.stream().anyMatch(Use.Whole.class::isInstance);
            leftOut.add(
                "%s: no %s of what is %s"
                    .formatted(parameter.name(), statistic, whole ? "used whole" : "looked up"));
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
                shape.get(),
                parameter.name(),
                form,
                lines && statistics.contains(Statistic.DIAG)));
      }
    }
    if (statistics.contains(Statistic.ENTROPY)) {
      if (probe.hidden().isEmpty()) {
        leftOut.add("no entropy: the blocks of this network are not known");
      }
      for (int k = 0; k < probe.hidden().size(); k++) {
        entries.add(entropy(k, sampled, probe.hidden().get(k).get(2)));
      }
    }
    if (entries.isEmpty()) {
      throw new UsageException(
          "this network has none of " + statistics,
          "they need linear layers or blocks that are known; a script has none");
    }
    return new Plan(entries, leftOut);
  }

  private static Entry entropy(int block, int sampled, long width) {
    String number = String.valueOf(block);
    String name = Statistic.ENTROPY.tensorName(number);
    return new Entry(
        Statistic.ENTROPY,
        new TensorInfo(name, DType.F32, Shape.of(1)),
        Shape.of(sampled, width),
        number,
        Optional.empty(),
        false);
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
      case INPUT_NORMS -> form.filter(MatrixForm::linear).map(matrix -> Shape.of(matrix.in()));
      case CONTRIBUTION -> form.filter(MatrixForm::linear).map(matrix -> parameter.shape());
      case ENTROPY -> Optional.empty();
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
    return estimated().stream().mapToLong(entry -> entry.summed().elements() * Double.BYTES).sum();
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
