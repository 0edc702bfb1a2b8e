package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.report.Measure.Verdict;
import dev.smelt.cli.report.ModelTable.Cell;
import dev.smelt.cli.text.Format;
import java.util.List;
import java.util.Locale;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * A report as one HTML file that needs nothing else: style, script and plots are inside, and its
 * content policy forbids it to load anything. The same report always gives the same bytes.
 */
public final class HtmlReport {

  private final DiffReport report;
  private final TensorSummary summary;
  private final Markup html = new Markup();

  private HtmlReport(DiffReport report) {
    this.report = report;
    this.summary = TensorSummary.of(report.tensors());
  }

  /** The whole file; to be stored as UTF-8. */
  public static String render(DiffReport report) {
    return new HtmlReport(report).render();
  }

  private String render() {
    HtmlPage.open(html, report.before().name() + " → " + report.after().name());
    title();
    cards();
    section("Accuracy against size", this::trade);
    section("Models", () -> HtmlTables.models(html, ModelTable.of(report)));
    section("What changed", this::changes);
    if (!report.shared().isEmpty()) {
      section("Shared bases", this::sharing);
    }
    if (!report.tensors().isEmpty()) {
      section("Tensors", () -> HtmlTables.tensors(html, summary, report.tensors()));
    }
    if (!report.notes().isEmpty()) {
      section("Notes", this::notes);
    }
    section("How to reproduce", this::reproduce);
    return HtmlPage.close(html);
  }

  private void title() {
    html.open("header").leaf("p", "smelt diff", "class", "brand").open("h1");
    html.leaf("span", report.before().name()).leaf("i", " → ");
    html.leaf("span", report.after().name()).close();
    String method = report.after().method();
    String changed = summary.differentLine() + " " + summary.sameLine();
    html.leaf("p", method == null ? changed : method + ". " + changed, "class", "lead");
    html.closeLine();
  }

  private void cards() {
    List<Model> pair = List.of(report.before(), report.after());
    html.open("section", "class", "cards", "aria-label", "Headline");
    for (Measure measure : Measure.knownIn(pair)) {
      card(measure);
    }
    html.closeLine();
  }

  private void card(Measure measure) {
    Double before = measure.of(report.before());
    Cell cell = ModelTable.cell(measure, before, measure.of(report.after()));
    html.open("div", "class", "card").leaf("h2", measure.label());
    html.leaf("p", cell.value().isEmpty() ? "–" : shown(measure, report.after()), "class", "now");
    if (before != null) {
      html.leaf("p", "was " + shown(measure, report.before()), "class", "was");
    }
    if (!cell.change().isEmpty()) {
      String verdict = cell.verdict().name().toLowerCase(Locale.ROOT);
      html.leaf("p", inWords(measure, cell), "class", "chip " + verdict);
    }
    html.close();
  }

  private static String inWords(Measure measure, Cell cell) {
    boolean better = cell.verdict() == Verdict.BETTER;
    if (cell.verdict() == Verdict.SAME) {
      return measure.isSpeed() ? "about as fast" : "no change";
    }
    return switch (measure) {
      case SIZE, PACKED -> unsigned(cell) + (better ? " smaller" : " larger");
      case PARAMETERS -> unsigned(cell) + (better ? " fewer" : " more");
      case TOKENS_PER_SECOND, EXAMPLES_PER_SECOND ->
          unsigned(cell) + (better ? " faster" : " slower");
      default -> HtmlTables.minus(cell.change()) + (better ? " better" : " worse");
    };
  }

  private static String unsigned(Cell cell) {
    return cell.change().replaceFirst("^[-+]", "");
  }

  /** Large numbers in short; the table has every digit. */
  private static String shown(Measure measure, Model model) {
    if (measure == Measure.PARAMETERS) {
      return Format.shortCount(model.parameters());
    }
    Double value = measure.of(model);
    return value == null ? "–" : measure.format(value);
  }

  private void trade() {
    Markup accuracy = ScatterPlot.of(report, Measure.ACCURACY);
    Markup loss = ScatterPlot.of(report, Measure.LOSS);
    if (accuracy == null && loss == null) {
      html.leaf(
          "p",
          "No data was given, so loss and accuracy are not known. Run smelt diff with --data"
              + " to see them here against size.");
      return;
    }
    html.open("div", "class", "pair");
    String over = ModelTable.overall(ModelTable.dataSets(report));
    figure(accuracy, "Accuracy against size, " + over + ". Up and left is better.");
    figure(loss, "Loss against size, " + over + ". Down and left is better.");
    html.close().open("ul", "class", "key");
    Glyph.key(html, "dot before", Glyph.ofRole("before"), "before");
    Glyph.key(html, "dot after", Glyph.ofRole("after"), "after");
    if (!report.also().isEmpty()) {
      Glyph.key(html, "dot also", Glyph.ofRole("also"), "others");
    }
    Glyph.key(html, "frontier", "M-7 0H7", "Pareto frontier: nothing here is smaller and better");
    html.close();
  }

  private void changes() {
    List<TensorDiff> tensors = report.tensors();
    Markup errors = ErrorPlot.of(tensors);
    Markup bytes = BytesPlot.of(tensors);
    html.leaf("p", summary.differentLine() + " " + summary.sameLine());
    html.open("div", "class", "pair");
    if (errors != null) {
      html.open("figure");
      html.leaf(
          "figcaption",
          "Relative error of each changed tensor, ‖before − after‖ / ‖before‖, in the order of"
              + " the model. Tensors that are the same are not drawn.");
      kinds(ErrorPlot.kinds(tensors));
      html.add(errors).closeLine();
    }
    if (bytes != null) {
      html.open("figure");
      String caption = "Where the bytes are: each kind of tensor over all layers, largest first.";
      html.leaf("figcaption", caption);
      html.open("ul", "class", "key");
      Glyph.key(html, "bar-before", "M-7-4H7V4H-7Z", "before");
      Glyph.key(html, "bar", "M-7-4H7V4H-7Z", "after");
      html.close().add(bytes).closeLine();
    }
    html.close();
  }

  private void sharing() {
    long before = report.shared().stream().mapToLong(DiffReport.SharedBasis::bytesBefore).sum();
    long after = report.shared().stream().mapToLong(DiffReport.SharedBasis::bytesAfter).sum();
    html.leaf(
        "p",
        "Matrices of "
            + Format.bytes(before)
            + " share bases; with all coefficients they take "
            + Format.bytes(after)
            + ".");
    figure(
        SharingPlot.of(report.shared()),
        "Matrices with the same number and colour share a basis; grey ones have none.");
    HtmlTables.shared(html, report.shared());
  }

  private void kinds(SequencedMap<String, Integer> kinds) {
    if (kinds.isEmpty()) {
      return;
    }
    html.open("ul", "class", "key");
    kinds.forEach((kind, n) -> Glyph.key(html, Glyph.css(n), Glyph.path(n), kind));
    html.close();
  }

  private void figure(@Nullable Markup plot, String caption) {
    if (plot != null) {
      html.open("figure").leaf("figcaption", caption).add(plot).closeLine();
    }
  }

  private void notes() {
    HtmlPage.notes(html, report.notes());
  }

  private void reproduce() {
    if (!report.commands().isEmpty()) {
      HtmlPage.commands(html, report.commands());
    }
    HtmlTables.sources(html, ModelTable.models(report));
  }

  private void section(String heading, Runnable content) {
    html.open("section").leaf("h2", heading).raw("\n");
    content.run();
    html.closeLine();
  }
}
