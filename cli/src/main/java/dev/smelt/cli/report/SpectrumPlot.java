package dev.smelt.cli.report;

import dev.smelt.cli.report.SpectrumReport.Matrix;
import dev.smelt.cli.report.SpectrumReport.Point;
import dev.smelt.cli.text.Format;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * Energy against size: a curve for each matrix, coloured by its kind, from nothing to the size at
 * which factors have as many elements as the matrix.
 */
final class SpectrumPlot {

  private static final double HEIGHT = 350;
  private static final double LEFT = 44;
  private static final double RIGHT = Svg.WIDTH - 8;
  private static final double TOP = 30;
  private static final double BOTTOM = HEIGHT - 42;
  private static final double PERCENT = 100;

  private SpectrumPlot() {}

  static Markup of(List<Matrix> matrices) {
    SequencedMap<String, Integer> kinds = kinds(matrices);
    Axis x = Axis.fromZero(PERCENT, LEFT, RIGHT, 5);
    Axis y = Axis.fromZero(PERCENT, BOTTOM, TOP, 5);
    Markup svg = Svg.open("spectrum", "energy against size of factors", HEIGHT);
    for (double tick : y.ticks()) {
      Svg.line(svg, "grid", LEFT, y.at(tick), RIGHT, y.at(tick));
      Svg.text(svg, "tick", LEFT - 7, y.at(tick) + 4, "end", y.label(tick));
    }
    for (double tick : x.ticks()) {
      Svg.line(svg, "grid", x.at(tick), TOP, x.at(tick), BOTTOM);
      Svg.text(svg, "tick", x.at(tick), BOTTOM + 17, "middle", x.label(tick));
    }
    Svg.line(svg, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
    Svg.text(svg, "name", 2, 15, "start", "energy held, %");
    Svg.text(svg, "name", RIGHT, HEIGHT - 7, "end", "elements of the factors, % of the matrix");
    for (Matrix matrix : matrices) {
      curve(svg, matrix, kinds, x, y);
    }
    return svg.close();
  }

  /** In the order in which they come up, each with its number. */
  static SequencedMap<String, Integer> kinds(List<Matrix> matrices) {
    SequencedMap<String, Integer> kinds = new LinkedHashMap<>();
    for (Matrix matrix : matrices) {
      kinds.putIfAbsent(TensorName.of(matrix.tensor()).kind(), kinds.size());
    }
    return kinds;
  }

  private static void curve(
      Markup svg, Matrix matrix, SequencedMap<String, Integer> kinds, Axis x, Axis y) {
    StringBuilder path = new StringBuilder();
    for (Point point : matrix.curve()) {
      path.append(path.isEmpty() ? 'M' : 'L')
          .append(Svg.number(x.at(PERCENT * point.keep())))
          .append(' ')
          .append(Svg.number(y.at(PERCENT * point.energy())));
    }
    int kind = kinds.getOrDefault(TensorName.of(matrix.tensor()).kind(), 0);
    svg.open("g", "class", "mark", "tabindex", "0");
    svg.leaf("title", tooltip(matrix));
    svg.empty("path", "class", "wide", "d", path.toString());
    svg.empty("path", "class", "curve " + Glyph.css(kind), "d", path.toString());
    svg.close();
  }

  private static String tooltip(Matrix matrix) {
    StringBuilder text = new StringBuilder(matrix.tensor()).append('\n').append(matrix.shape());
    text.append("\neffective rank ")
        .append(Format.fixed(matrix.effectiveRank(), 1))
        .append(" of ")
        .append(matrix.fullRank());
    for (Point point : matrix.energyAt()) {
      text.append("\nat ")
          .append(Format.percent(point.keep(), 0))
          .append(" of the size: rank ")
          .append(point.rank())
          .append(", energy ")
          .append(Format.percent(point.energy(), 1));
    }
    return text.toString();
  }
}
