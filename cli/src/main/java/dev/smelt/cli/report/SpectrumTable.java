package dev.smelt.cli.report;

import dev.smelt.cli.report.SpectrumReport.Matrix;
import dev.smelt.cli.report.SpectrumReport.Point;
import dev.smelt.cli.text.Format;
import dev.smelt.cli.text.TextTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** The numbers of a report of spectra as text, the same in every form. */
public final class SpectrumTable {

  /** What the numbers are, one sentence each. */
  static final List<String> MEANING =
      List.of(
          "Energy is the sum of squared singular values; what a truncation leaves out of it is the"
              + " square of its relative error.",
          "Effective rank is exp(−Σ p ln p), p each direction's share of the energy: how many"
              + " directions there would be if all held the same.",
          "Stable rank is ‖W‖²/σ₁²: small where one direction dominates.",
          "The condition number is σ₁/σ_min.",
          "An energy at 50 % is what factors with half of the matrix's elements hold: factorize"
              + " --keep 0.5 with the metric plain.");

  private SpectrumTable() {}

  /** Column headings after the name. */
  static List<String> headings(SpectrumReport report) {
    List<String> headings = new ArrayList<>(List.of("shape", "effective", "stable", "condition"));
    Matrix first = report.matrices().getFirst();
    first.energyAt().forEach(point -> headings.add("energy at " + Format.percent(point.keep(), 0)));
    first.rankFor().forEach(point -> headings.add("rank for " + Format.percent(point.energy(), 0)));
    return headings;
  }

  static List<String> cells(Matrix matrix) {
    List<String> cells = new ArrayList<>();
    cells.add(matrix.shape());
    cells.add(Format.fixed(matrix.effectiveRank(), 1));
    cells.add(Format.fixed(matrix.stableRank(), 1));
    cells.add(
        Double.isFinite(matrix.conditionNumber())
            ? String.format(Locale.ROOT, "%.3g", matrix.conditionNumber())
            : "∞");
    matrix.energyAt().forEach(point -> cells.add(Format.percent(point.energy(), 1)));
    matrix.rankFor().forEach(point -> cells.add(String.valueOf(point.rank())));
    return cells;
  }

  /** For the terminal. */
  public static String text(SpectrumReport report, int width) {
    TextTable table = new TextTable("matrix");
    headings(report).forEach(table::column);
    for (Matrix matrix : report.matrices()) {
      table.row(matrix.tensor(), cells(matrix).stream().map(TextTable.Cell::plain).toList());
    }
    return table.render(width, false);
  }

  /** The middle of a number over all matrices; of two middles the lower. */
  static double median(SpectrumReport report, ToDoubleFunction<Matrix> number) {
    List<Double> sorted = report.matrices().stream().map(number::applyAsDouble).sorted().toList();
    return sorted.get((sorted.size() - 1) / 2);
  }

  /** Energy at the middle of the sizes that are told. */
  static Point middle(Matrix matrix) {
    return matrix.energyAt().get(matrix.energyAt().size() / 2);
  }
}
