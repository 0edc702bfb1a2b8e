package dev.smelt.cli.report;

import dev.smelt.cli.report.SpectrumReport.Matrix;
import java.util.ArrayList;
import java.util.List;

/** A report of spectra as GitHub-flavoured Markdown. */
public final class SpectrumMarkdown {

  private SpectrumMarkdown() {}

  public static String render(SpectrumReport report) {
    StringBuilder out = new StringBuilder();
    out.append("### Spectra of ").append(Markdown.code(report.name())).append("\n\n");
    String base = report.base();
    if (base != null) {
      out.append("As changes of ").append(Markdown.code(base)).append(".\n\n");
    }
    List<String> headings = new ArrayList<>(List.of("matrix"));
    headings.addAll(SpectrumTable.headings(report));
    row(out, headings.stream().map(Markdown::text).toList());
    out.append("|---|").append("---:|".repeat(headings.size() - 1)).append('\n');
    for (Matrix matrix : report.matrices()) {
      List<String> cells = new ArrayList<>(List.of(Markdown.code(matrix.tensor())));
      SpectrumTable.cells(matrix).forEach(cell -> cells.add(Markdown.text(cell)));
      row(out, cells);
    }
    out.append('\n');
    SpectrumTable.MEANING.forEach(
        line -> out.append("- ").append(Markdown.text(line)).append('\n'));
    return out.append('\n')
        .append(Markdown.fenced(String.join("\n", report.commands())))
        .toString();
  }

  private static void row(StringBuilder out, List<String> cells) {
    out.append("| ").append(String.join(" | ", cells)).append(" |\n");
  }
}
