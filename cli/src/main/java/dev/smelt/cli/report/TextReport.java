package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.SharedBasis;
import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.report.ModelTable.Row;
import dev.smelt.cli.report.ModelTable.Section;
import dev.smelt.cli.text.Columns;
import dev.smelt.cli.text.Format;
import dev.smelt.cli.text.TextTable;
import dev.smelt.cli.text.TextTable.Cell;
import dev.smelt.cli.text.TextTable.Style;
import java.util.ArrayList;
import java.util.List;

/** A report for the terminal. */
public final class TextReport {

  /** Narrower terminals get lines of this width: numbers would no longer fit beside names. */
  public static final int LEAST_WIDTH = 40;

  private final int width;
  private final boolean colour;
  private final StringBuilder out = new StringBuilder();

  private TextReport(int width, boolean colour) {
    this.width = Math.max(LEAST_WIDTH, width);
    this.colour = colour;
  }

  /**
   * @param width columns; no line is wider, but {@link #LEAST_WIDTH} is used where it is less
   * @param colour whether ANSI colour is allowed; without it the text says the same
   * @return lines that end with a newline
   */
  public static String render(DiffReport report, int width, boolean colour) {
    return new TextReport(width, colour).render(report);
  }

  private String render(DiffReport report) {
    ModelTable table = ModelTable.of(report);
    titles(table);
    for (int s = 0; s < table.sections().size(); s++) {
      section(table, s);
    }
    tensors(TensorSummary.of(report.tensors()));
    shared(report.shared());
    notes(report.notes());
    return out.toString();
  }

  private void titles(ModelTable table) {
    for (Row row : table.rows().subList(0, 2)) {
      String method = row.model().method();
      String text = row.model().name() + (method == null ? "" : " (" + method + ")");
      paragraph(Columns.padRight(row.role(), 8), text);
    }
  }

  /** Sizes and the overall numbers share a table; each data set has its own. */
  private void section(ModelTable table, int s) {
    if (s == 1) {
      return;
    }
    boolean withOverall = s == 0 && table.sections().size() > 1;
    String title = table.sections().get(withOverall ? 1 : s).title();
    heading(title.isEmpty() ? "size" : withOverall ? "size, and " + title : title);
    TextTable text = new TextTable("model");
    List<Integer> shown = withOverall ? List.of(0, 1) : List.of(s);
    for (int i : shown) {
      Section section = table.sections().get(i);
      for (Measure measure : section.measures()) {
        text.column(measure.label());
        text.joinedColumn("change");
      }
    }
    for (Row row : table.rows()) {
      List<Cell> cells = new ArrayList<>();
      for (int i : shown) {
        for (ModelTable.Cell cell : row.cells().get(i)) {
          cells.add(Cell.plain(cell.value()));
          cells.add(new Cell(cell.change(), style(cell.verdict())));
        }
      }
      text.row(Columns.printable(row.model().name()), cells);
    }
    out.append(text.render(width, colour));
  }

  private static Style style(Measure.Verdict verdict) {
    return switch (verdict) {
      case BETTER -> Style.GOOD;
      case WORSE -> Style.BAD;
      case SAME -> Style.FAINT;
    };
  }

  private void tensors(TensorSummary tensors) {
    if (!tensors.different().isEmpty()) {
      heading(tensors.differentLine());
      out.append(tensorTable(tensors).render(width, colour));
    }
    out.append('\n');
    paragraph("", tensors.sameLine());
  }

  private static TextTable tensorTable(TensorSummary tensors) {
    TextTable text = new TextTable("tensor");
    text.column("shape");
    text.column("error");
    if (tensors.hasRanks()) {
      text.column("rank");
    }
    if (tensors.hasSparsity()) {
      text.column("zeros");
    }
    text.column("before");
    text.joinedColumn("after");
    if (tensors.hasPacked()) {
      text.column("packed");
    }
    for (TensorDiff tensor : tensors.different()) {
      List<Cell> cells = new ArrayList<>();
      cells.add(Cell.plain(Columns.printable(tensor.shape())));
      cells.add(Cell.plain(TensorSummary.error(tensor)));
      if (tensors.hasRanks()) {
        cells.add(Cell.plain(TensorSummary.rank(tensor)));
      }
      if (tensors.hasSparsity()) {
        cells.add(Cell.plain(TensorSummary.sparsity(tensor)));
      }
      cells.add(Cell.plain(Format.bytes(tensor.bytesBefore())));
      cells.add(Cell.plain(Format.bytes(tensor.bytesAfter())));
      if (tensors.hasPacked()) {
        cells.add(Cell.plain(TensorSummary.packed(tensor)));
      }
      text.row(Columns.printable(tensor.name()), cells);
    }
    return text;
  }

  private void shared(List<SharedBasis> shared) {
    if (shared.isEmpty()) {
      return;
    }
    heading("shared bases");
    TextTable text = new TextTable("basis");
    List.of("side", "members", "rank", "largest error", "before").forEach(text::column);
    text.joinedColumn("after");
    for (SharedBasis one : shared) {
      Double error = one.largestError();
      text.row(
          one.basis(),
          List.of(
              Cell.plain(one.side()),
              Cell.plain(Format.count(one.members().size())),
              Cell.plain(Format.count(one.rank())),
              Cell.plain(error == null ? "" : Format.error(error)),
              Cell.plain(Format.bytes(one.bytesBefore())),
              Cell.plain(Format.bytes(one.bytesAfter()))));
    }
    out.append(text.render(width, colour));
  }

  private void notes(List<String> notes) {
    if (notes.isEmpty()) {
      return;
    }
    heading("notes");
    for (String note : notes) {
      paragraph("- ", note);
    }
  }

  private void heading(String title) {
    out.append('\n');
    for (String line : Columns.wrap(Columns.printable(title), width)) {
      out.append(Style.BOLD.apply(line, colour)).append('\n');
    }
  }

  private void paragraph(String bullet, String text) {
    String lead = bullet;
    for (String line : Columns.wrap(Columns.printable(text), width - bullet.length())) {
      out.append(lead).append(line).append('\n');
      lead = " ".repeat(bullet.length());
    }
  }
}
