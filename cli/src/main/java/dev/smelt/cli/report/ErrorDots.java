package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.text.Columns;
import java.util.List;
import java.util.Map;

/** One row a layer, in it a dot a tensor, whose shape is its kind. */
final class ErrorDots {

  private static final double ROW = 17;
  private static final double TOP = 40;
  private static final double MOST_LABEL = 130;

  /** Kinds lie a little above each other, so that equal errors do not hide each other. */
  private static final double SPREAD = 7;

  private ErrorDots() {}

  static Markup draw(List<TensorDiff> drawn) {
    Map<String, List<TensorDiff>> layers = ErrorPlot.layers(drawn);
    Map<String, Integer> kinds = ErrorPlot.kinds(drawn);
    List<String> names = layers.keySet().stream().map(Columns::printable).toList();
    List<String> shown = ErrorPlot.fit(names, MOST_LABEL);
    double label = ErrorPlot.widest(shown);

    double bottom = TOP + layers.size() * ROW;
    Axis x = ErrorPlot.axis(drawn, label + 12, Svg.WIDTH - 14);
    Markup svg = Svg.open("errors", "relative error of each changed tensor", bottom + 20);
    Svg.text(svg, "name", x.from(), 13, "start", "relative error");

    for (int row = 1; row < layers.size(); row += 2) {
      stripe(svg, TOP + row * ROW);
    }
    ErrorPlot.grid(svg, x, TOP, bottom, true);
    double y = TOP;
    int row = 0;
    for (List<TensorDiff> tensors : layers.values()) {
      Svg.text(svg, "label", 0, y + 12.5, "start", shown.get(row));
      for (TensorDiff tensor : tensors) {
        int kind = ErrorPlot.kind(kinds, tensor);
        double lane = kinds.size() < 2 ? 0 : SPREAD * ((double) kind / (kinds.size() - 1) - 0.5);
        double cx = x.at(ErrorPlot.error(tensor));
        String at = "translate(" + Svg.number(cx) + " " + Svg.number(y + ROW / 2 + lane) + ")";
        svg.open("g", "class", "mark", "tabindex", "0");
        svg.leaf("title", ErrorPlot.tooltip(tensor));
        svg.empty("path", "class", Glyph.css(kind), "d", Glyph.path(kind), "transform", at);
        svg.close();
      }
      y += ROW;
      row++;
    }
    return svg.close();
  }

  private static void stripe(Markup svg, double y) {
    Svg.rect(svg, "stripe", 0, y, Svg.WIDTH, ROW);
  }
}
