package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.text.Columns;
import java.util.List;
import java.util.Map;

/** One labelled bar a tensor, under the name of its layer, with its error and rank in figures. */
final class ErrorBars {

  private static final double ROW = 19;
  private static final double HEADING = 22;
  private static final double TOP = 40;
  private static final double BAR = 11;

  /** The most that names may take of the width. */
  private static final double MOST_LABEL = 150;

  private static final double FIGURES = 46;
  private static final double RANK = 40;

  private ErrorBars() {}

  static Markup draw(List<TensorDiff> drawn) {
    Map<String, List<TensorDiff>> layers = ErrorPlot.layers(drawn);
    List<String> names = drawn.stream().map(ErrorBars::label).toList();
    List<String> shown = ErrorPlot.fit(names, MOST_LABEL);
    double label = ErrorPlot.widest(shown);
    boolean ranks = drawn.stream().anyMatch(tensor -> tensor.rank() != null);

    long headings = layers.keySet().stream().filter(layer -> isLayer(layer, drawn)).count();
    double bottom = TOP + headings * HEADING + drawn.size() * ROW;
    double right = Svg.WIDTH - FIGURES - (ranks ? RANK : 0);
    Axis x = ErrorPlot.axis(drawn, label + 10, right);
    Markup svg = Svg.open("errors", "relative error of each changed tensor", bottom + 6);
    Svg.text(svg, "name", x.from(), 13, "start", "relative error");
    if (ranks) {
      Svg.text(svg, "name", Svg.WIDTH, 13, "end", "rank");
    }
    ErrorPlot.grid(svg, x, TOP, bottom, false);

    double y = TOP;
    for (Map.Entry<String, List<TensorDiff>> layer : layers.entrySet()) {
      if (isLayer(layer.getKey(), drawn)) {
        String heading = Columns.shorten(Columns.printable(layer.getKey()), 50);
        Svg.text(svg, "layer", 0, y + 16, "start", heading);
        y += HEADING;
      }
      for (TensorDiff tensor : layer.getValue()) {
        bar(svg, x, y, tensor, shown.get(names.indexOf(label(tensor))));
        y += ROW;
      }
    }
    return svg.close();
  }

  private static void bar(Markup svg, Axis x, double y, TensorDiff tensor, String label) {
    double end = x.at(ErrorPlot.error(tensor));
    svg.open("g", "class", "mark", "tabindex", "0");
    svg.leaf("title", ErrorPlot.tooltip(tensor));
    Svg.rect(svg, "reach", 0, y, Svg.WIDTH, ROW);
    Svg.rect(svg, "bar", x.from(), y + (ROW - BAR) / 2, end - x.from(), BAR);
    Svg.text(svg, "label", 0, y + 13.5, "start", label);
    Svg.text(svg, "figure", end + 5, y + 13.5, "start", TensorSummary.error(tensor));
    Svg.text(svg, "figure", Svg.WIDTH, y + 13.5, "end", TensorSummary.rank(tensor));
    svg.close();
  }

  /** Runs of tensors of no layer are named by their only tensor. */
  private static boolean isLayer(String layer, List<TensorDiff> drawn) {
    return drawn.stream().noneMatch(tensor -> tensor.name().equals(layer));
  }

  private static String label(TensorDiff tensor) {
    return Columns.printable(TensorName.of(tensor.name()).rest());
  }
}
