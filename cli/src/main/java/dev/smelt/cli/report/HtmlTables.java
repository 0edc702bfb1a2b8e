package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.DiffReport.SharedBasis;
import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.report.Measure.Verdict;
import dev.smelt.cli.report.ModelTable.Cell;
import dev.smelt.cli.report.ModelTable.Row;
import dev.smelt.cli.report.ModelTable.Section;
import dev.smelt.cli.text.Format;
import java.util.List;
import java.util.Locale;

/** The tables of the page; each scrolls sideways in a box of its own. */
final class HtmlTables {

  private HtmlTables() {}

  static void models(Markup html, ModelTable table) {
    box(html, "Models");
    html.open("table", "class", "models").open("thead").open("tr");
    html.empty("td");
    for (Section section : table.sections()) {
      String columns = Integer.toString(section.measures().size());
      html.leaf("th", section.title(), "colspan", columns, "scope", "colgroup", "class", "first");
    }
    html.close().open("tr").leaf("th", "model", "scope", "col");
    for (Section section : table.sections()) {
      for (int i = 0; i < section.measures().size(); i++) {
        String label = section.measures().get(i).label();
        html.leaf("th", label, "scope", "col", "class", i == 0 ? "num first" : "num");
      }
    }
    html.close().close().open("tbody");
    for (Row row : table.rows()) {
      html.open("tr", "class", row.role());
      name(html, row.model(), row.role());
      for (List<Cell> group : row.cells()) {
        for (int i = 0; i < group.size(); i++) {
          html.open("td", "class", i == 0 ? "num first" : "num").text(minus(group.get(i).value()));
          if (!group.get(i).change().isEmpty()) {
            change(html, group.get(i));
          }
          html.close();
        }
      }
      html.closeLine();
    }
    html.close().close().closeLine();
  }

  private static void name(Markup html, Model model, String role) {
    html.open("th", "scope", "row").leaf("code", model.name());
    String method = model.method();
    String made = role.equals("also") ? "" : role;
    if (method != null) {
      made += made.isEmpty() ? method : " · " + method;
    }
    if (!made.isEmpty()) {
      html.leaf("small", made);
    }
    html.close();
  }

  private static void change(Markup html, Cell cell) {
    if (cell.verdict() == Verdict.SAME) {
      html.leaf("small", cell.change().equals("=") ? "same" : minus(cell.change()));
      return;
    }
    String verdict = cell.verdict().name().toLowerCase(Locale.ROOT);
    html.leaf("small", minus(cell.change()), "class", verdict, "title", verdict);
  }

  static void tensors(Markup html, TensorSummary summary, List<TensorDiff> tensors) {
    html.open("p", "class", "filter", "hidden", "hidden");
    html.open("label").text("Show tensors named ");
    html.empty("input", "type", "search", "id", "filter", "autocomplete", "off").close();
    html.open("label").empty("input", "type", "checkbox", "id", "changed");
    html.text(" only those that differ").close();
    html.empty("output", "id", "shown", "for", "filter changed").closeLine();
    box(html, "Tensors");
    html.open("table", "class", "tensors", "id", "tensors").open("thead").open("tr");
    html.leaf("th", "tensor", "scope", "col").leaf("th", "shape", "scope", "col");
    heading(html, "relative error");
    if (summary.hasRanks()) {
      heading(html, "rank");
    }
    if (summary.hasSparsity()) {
      heading(html, "zeros");
    }
    heading(html, "before");
    heading(html, "after");
    if (summary.hasPacked()) {
      heading(html, "packed");
    }
    html.close().close().open("tbody").text("\n");
    for (TensorDiff tensor : tensors) {
      tensor(html, summary, tensor);
    }
    html.close().close().closeLine();
  }

  private static void heading(Markup html, String label) {
    html.leaf("th", label, "scope", "col", "class", "num");
  }

  private static void tensor(Markup html, TensorSummary summary, TensorDiff tensor) {
    boolean same = tensor.status().equals("same");
    html.open("tr", "class", same ? "same" : "differs");
    html.open("th", "scope", "row").leaf("code", tensor.name()).close();
    html.leaf("td", tensor.shape().replace(",", " × ").replaceAll("[\\[\\]]", ""));
    html.leaf("td", same ? "same" : TensorSummary.error(tensor), "class", "num");
    if (summary.hasRanks()) {
      html.leaf("td", TensorSummary.rank(tensor), "class", "num");
    }
    if (summary.hasSparsity()) {
      html.leaf("td", TensorSummary.sparsity(tensor), "class", "num");
    }
    html.leaf("td", Format.bytes(tensor.bytesBefore()), "class", "num");
    html.leaf("td", Format.bytes(tensor.bytesAfter()), "class", "num");
    if (summary.hasPacked()) {
      html.leaf("td", TensorSummary.packed(tensor), "class", "num");
    }
    html.closeLine();
  }

  static void shared(Markup html, List<SharedBasis> shared) {
    box(html, "Shared bases");
    html.open("table").open("thead").open("tr").leaf("th", "basis", "scope", "col");
    html.leaf("th", "side", "scope", "col");
    for (String label : List.of("members", "rank", "largest error", "before", "after")) {
      heading(html, label);
    }
    html.close().close().open("tbody").text("\n");
    for (SharedBasis one : shared) {
      Double error = one.largestError();
      html.open("tr").open("th", "scope", "row", "title", String.join("\n", one.members()));
      html.leaf("code", one.basis()).close().leaf("td", one.side());
      html.leaf("td", Format.count(one.members().size()), "class", "num");
      html.leaf("td", Format.count(one.rank()), "class", "num");
      html.leaf("td", error == null ? "" : Format.error(error), "class", "num");
      html.leaf("td", Format.bytes(one.bytesBefore()), "class", "num");
      html.leaf("td", Format.bytes(one.bytesAfter()), "class", "num");
      html.closeLine();
    }
    html.close().close().closeLine();
  }

  static void sources(Markup html, List<Model> models) {
    box(html, "Models and their hashes");
    html.open("table", "class", "sources").open("thead").open("tr");
    for (String heading : List.of("model", "path", "SHA-256")) {
      html.leaf("th", heading, "scope", "col");
    }
    html.close().close().open("tbody");
    for (Model model : models) {
      html.open("tr").open("th", "scope", "row").leaf("code", model.name()).close();
      html.open("td").leaf("code", model.path()).close();
      html.open("td").leaf("code", model.sha256()).close();
      html.closeLine();
    }
    html.close().close().closeLine();
  }

  /** Focusable, so that the keyboard can scroll it. */
  private static void box(Markup html, String label) {
    html.open("div", "class", "box", "tabindex", "0", "role", "region", "aria-label", label);
  }

  /** The minus sign that is as wide as a plus. */
  static String minus(String number) {
    return number.startsWith("-") ? "−" + number.substring(1) : number;
  }
}
