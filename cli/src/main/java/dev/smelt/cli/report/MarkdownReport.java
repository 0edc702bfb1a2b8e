package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.DiffReport.SharedBasis;
import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.report.ModelTable.Cell;
import dev.smelt.cli.report.ModelTable.Row;
import dev.smelt.cli.report.ModelTable.Section;
import dev.smelt.cli.text.Format;
import java.util.ArrayList;
import java.util.List;

/** A report as GitHub-flavoured Markdown, for the comment on a pull request. */
public final class MarkdownReport {

  private final StringBuilder out = new StringBuilder();

  private MarkdownReport() {}

  /** The whole comment; tensors and how to reproduce are folded away. */
  public static String render(DiffReport report) {
    return new MarkdownReport().write(report);
  }

  private String write(DiffReport report) {
    ModelTable table = ModelTable.of(report);
    line("### " + name(report.before()) + " → " + name(report.after()));
    String method = report.after().method();
    if (method != null) {
      line("");
      line(Markdown.text(method));
    }
    for (int s = 0; s < table.sections().size(); s++) {
      section(table, s);
    }
    tensors(TensorSummary.of(report.tensors()));
    shared(report.shared());
    notes(report.notes());
    reproduce(report);
    return out.toString();
  }

  private void section(ModelTable table, int s) {
    Section section = table.sections().get(s);
    if (!section.title().isEmpty()) {
      line("");
      line("**" + Markdown.text(section.title()) + "**");
    }
    List<String> headings = new ArrayList<>(List.of("model"));
    for (Measure measure : section.measures()) {
      headings.add(measure.label());
      headings.add("change");
    }
    header(headings, 1);
    for (Row row : table.rows()) {
      List<String> cells = new ArrayList<>();
      String role = row.role().equals("also") ? "" : " (" + row.role() + ")";
      cells.add(name(row.model()) + role);
      for (Cell cell : row.cells().get(s)) {
        cells.add(cell.value());
        cells.add(cell.change());
      }
      row(cells);
    }
  }

  private void tensors(TensorSummary tensors) {
    line("");
    line(tensors.differentLine() + " " + tensors.sameLine());
    if (tensors.different().isEmpty()) {
      return;
    }
    line("");
    line("<details><summary>Changed tensors</summary>");
    List<String> headings = new ArrayList<>(List.of("tensor", "shape", "relative error"));
    if (tensors.hasRanks()) {
      headings.add("rank");
    }
    if (tensors.hasSparsity()) {
      headings.add("zeros");
    }
    headings.addAll(List.of("before", "after"));
    if (tensors.hasPacked()) {
      headings.add("packed");
    }
    header(headings, 2);
    for (TensorDiff tensor : tensors.different()) {
      List<String> cells = new ArrayList<>();
      cells.add(Markdown.code(tensor.name()));
      cells.add(Markdown.text(tensor.shape()));
      cells.add(TensorSummary.error(tensor));
      if (tensors.hasRanks()) {
        cells.add(TensorSummary.rank(tensor));
      }
      if (tensors.hasSparsity()) {
        cells.add(TensorSummary.sparsity(tensor));
      }
      cells.add(Format.bytes(tensor.bytesBefore()));
      cells.add(Format.bytes(tensor.bytesAfter()));
      if (tensors.hasPacked()) {
        cells.add(TensorSummary.packed(tensor));
      }
      row(cells);
    }
    line("");
    line("</details>");
  }

  private void shared(List<SharedBasis> shared) {
    if (shared.isEmpty()) {
      return;
    }
    line("");
    line("<details><summary>Shared bases</summary>");
    header(List.of("basis", "side", "members", "rank", "largest error", "before", "after"), 3);
    for (SharedBasis one : shared) {
      Double error = one.largestError();
      row(
          List.of(
              Markdown.code(one.basis()),
              one.side(),
              Markdown.text(String.join(", ", one.members())),
              Format.count(one.rank()),
              error == null ? "" : Format.error(error),
              Format.bytes(one.bytesBefore()),
              Format.bytes(one.bytesAfter())));
    }
    line("");
    line("</details>");
  }

  private void notes(List<String> notes) {
    if (notes.isEmpty()) {
      return;
    }
    line("");
    notes.forEach(note -> line("- " + Markdown.text(note)));
  }

  private void reproduce(DiffReport report) {
    line("");
    line("<details><summary>How to reproduce</summary>");
    line("");
    if (!report.commands().isEmpty()) {
      out.append(Markdown.fenced(String.join("\n", report.commands())));
    }
    header(List.of("model", "path", "made by", "sha256"), 4);
    for (Model model : ModelTable.models(report)) {
      String method = model.method();
      row(
          List.of(
              name(model),
              Markdown.code(model.path()),
              method == null ? "" : Markdown.text(method),
              Markdown.code(model.sha256())));
    }
    line("");
    line("</details>");
  }

  private static String name(Model model) {
    return Markdown.code(model.name());
  }

  /** The first {@code left} columns are text, the others numbers. */
  private void header(List<String> headings, int left) {
    line("");
    row(headings);
    List<String> rule = new ArrayList<>();
    for (int i = 0; i < headings.size(); i++) {
      rule.add(i < left ? ":--" : "--:");
    }
    row(rule);
  }

  private void row(List<String> cells) {
    line("| " + String.join(" | ", cells) + " |");
  }

  private void line(String text) {
    out.append(text).append('\n');
  }
}
