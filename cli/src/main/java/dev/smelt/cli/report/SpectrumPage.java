package dev.smelt.cli.report;

import dev.smelt.cli.report.SpectrumReport.Matrix;
import dev.smelt.cli.text.Columns;
import dev.smelt.cli.text.Format;
import java.util.Comparator;
import java.util.List;

/** A report of spectra as one HTML file that needs nothing else. */
public final class SpectrumPage {

  /** In characters, below the number of a card. */
  private static final int CARD = 26;

  private final SpectrumReport report;
  private final Markup html = new Markup();

  private SpectrumPage(SpectrumReport report) {
    this.report = report;
  }

  /** The whole file; to be stored as UTF-8. */
  public static String render(SpectrumReport report) {
    return new SpectrumPage(report).render();
  }

  private String render() {
    HtmlPage.open(html, "Spectra of " + report.name());
    html.open("header").leaf("p", "smelt inspect --spectrum", "class", "brand");
    html.open("h1").leaf("i", "Spectra of ").leaf("span", report.name()).close();
    String base = report.base();
    html.leaf(
        "p",
        Format.count(report.matrices().size())
            + (report.matrices().size() == 1 ? " matrix" : " matrices")
            + (base == null ? "" : ", as changes of " + base)
            + ".",
        "class",
        "lead");
    html.closeLine();
    cards();
    section("Energy against size", this::plot);
    section("Matrices", this::table);
    section("What the numbers are", () -> HtmlPage.notes(html, SpectrumTable.MEANING));
    section("How to reproduce", () -> HtmlPage.commands(html, report.commands()));
    return HtmlPage.close(html);
  }

  private void cards() {
    html.open("section", "class", "cards", "aria-label", "Headline");
    card(
        "effective rank",
        Format.percent(
            SpectrumTable.median(report, matrix -> matrix.effectiveRank() / matrix.fullRank()), 0),
        "of full rank, median");
    card(
        "stable rank",
        Format.percent(
            SpectrumTable.median(report, matrix -> matrix.stableRank() / matrix.fullRank()), 1),
        "of full rank, median");
    String size = Format.percent(middle().keep(), 0);
    card(
        "energy at " + size,
        Format.percent(
            SpectrumTable.median(report, matrix -> SpectrumTable.middle(matrix).energy()), 1),
        "of the size, median");
    Matrix least =
        report.matrices().stream()
            .min(Comparator.comparingDouble(matrix -> SpectrumTable.middle(matrix).energy()))
            .orElseThrow();
    card(
        "least energy at " + size,
        Format.percent(SpectrumTable.middle(least).energy(), 1),
        Columns.shorten(least.tensor(), CARD));
    html.closeLine();
  }

  private SpectrumReport.Point middle() {
    return SpectrumTable.middle(report.matrices().getFirst());
  }

  private void card(String title, String value, String below) {
    html.open("div", "class", "card").leaf("h2", title);
    html.leaf("p", value, "class", "now").leaf("p", below, "class", "was").close();
  }

  private void plot() {
    html.open("figure");
    html.leaf(
        "figcaption",
        "Energy that the leading directions hold, against the size of factors of that rank. Up is"
            + " better: a curve that rises early is a matrix that factors replace well. At 100 %"
            + " factors are as large as the matrix.");
    html.open("ul", "class", "key");
    SpectrumPlot.kinds(report.matrices())
        .forEach((kind, n) -> Glyph.key(html, "curve " + Glyph.css(n), "M-7 0H7", kind));
    html.close().add(SpectrumPlot.of(report.matrices())).closeLine();
  }

  private void table() {
    List<String> headings = SpectrumTable.headings(report);
    html.open("div", "class", "box", "tabindex", "0", "role", "region", "aria-label", "Matrices");
    html.open("table", "class", "tensors").open("thead").open("tr");
    html.leaf("th", "matrix", "scope", "col");
    headings.forEach(heading -> html.leaf("th", heading, "scope", "col", "class", "num"));
    html.close().close().open("tbody").text("\n");
    for (Matrix matrix : report.matrices()) {
      html.open("tr").open("th", "scope", "row").leaf("code", matrix.tensor()).close();
      SpectrumTable.cells(matrix).forEach(cell -> html.leaf("td", cell, "class", "num"));
      html.closeLine();
    }
    html.close().close().closeLine();
  }

  private void section(String heading, Runnable content) {
    html.open("section").leaf("h2", heading).raw("\n");
    content.run();
    html.closeLine();
  }
}
