package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.Model;
import dev.smelt.cli.report.LabelPlacer.Box;
import dev.smelt.cli.report.LabelPlacer.Place;
import dev.smelt.cli.text.Columns;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A measure against size: one mark a model, and the Pareto frontier through the best. */
final class ScatterPlot {

  private static final double HEIGHT = 330;
  private static final Box FRAME = new Box(50, 30, Svg.WIDTH - 8, HEIGHT - 42);

  /** Where labels may lie. */
  private static final Box ROOM =
      new Box(FRAME.left() + 2, FRAME.top() - 8, FRAME.right() + 6, FRAME.bottom() - 2);

  /** Labels are shortened to this many characters, which leaves room for two abreast. */
  private static final int LABEL = 24;

  /** A model that can be drawn: its measure is a number. */
  private record Point(Model model, String role, double size, double value, boolean best) {}

  private final Measure measure;
  private final SizeUnit unit;
  private final List<Point> points;
  private final Axis x;
  private final Axis y;

  private ScatterPlot(Measure measure, SizeUnit unit, List<Point> points) {
    this.measure = measure;
    this.unit = unit;
    this.points = points;
    this.x = axis(points.stream().map(Point::size).toList(), FRAME.left(), FRAME.right());
    this.y = axis(points.stream().map(Point::value).toList(), FRAME.bottom(), FRAME.top());
  }

  private static Axis axis(List<Double> values, double from, double to) {
    double min = values.stream().min(Comparator.naturalOrder()).orElseThrow();
    double max = values.stream().max(Comparator.naturalOrder()).orElseThrow();
    return Axis.around(min, max, from, to, 5);
  }

  /** Null when no model has a finite value. */
  static @Nullable Markup of(DiffReport report, Measure measure) {
    List<Model> models = ModelTable.models(report);
    List<Model> drawn = models.stream().filter(model -> finite(measure.of(model))).toList();
    if (drawn.isEmpty()) {
      return null;
    }
    SizeUnit unit = SizeUnit.of(drawn.stream().mapToLong(Model::fileBytes).max().orElseThrow());
    List<Model> frontier = ParetoFrontier.of(drawn, measure);
    List<Point> points = new ArrayList<>();
    for (int i = 0; i < models.size(); i++) {
      Model model = models.get(i);
      Double value = measure.of(model);
      if (value != null && Double.isFinite(value)) {
        String role = i == 0 ? "before" : i == 1 ? "after" : "also";
        points.add(
            new Point(
                model,
                role,
                model.fileBytes() / unit.bytes(),
                shown(measure, value),
                frontier.contains(model)));
      }
    }
    return new ScatterPlot(measure, unit, points).draw();
  }

  private static boolean finite(@Nullable Double value) {
    return value != null && Double.isFinite(value);
  }

  /** Accuracy is drawn in percent. */
  private static double shown(Measure measure, double value) {
    return measure == Measure.ACCURACY ? 100 * value : value;
  }

  private Markup draw() {
    String unitName = measure == Measure.ACCURACY ? ", %" : "";
    Markup svg = Svg.open("scatter", measure.label() + " against size", HEIGHT);
    for (double tick : y.ticks()) {
      Svg.line(svg, "grid", FRAME.left(), y.at(tick), FRAME.right(), y.at(tick));
      Svg.text(svg, "tick", FRAME.left() - 7, y.at(tick) + 4, "end", y.label(tick));
    }
    for (double tick : x.ticks()) {
      Svg.line(svg, "grid", x.at(tick), FRAME.top(), x.at(tick), FRAME.bottom());
      Svg.text(svg, "tick", x.at(tick), FRAME.bottom() + 17, "middle", x.label(tick));
    }
    Svg.line(svg, "axis", FRAME.left(), FRAME.bottom(), FRAME.right(), FRAME.bottom());
    Svg.text(svg, "name", 2, 15, "start", measure.label() + unitName);
    Svg.text(svg, "name", FRAME.right(), HEIGHT - 7, "end", "size, " + unit.label());
    LabelPlacer placer = new LabelPlacer(ROOM);
    frontier(svg, placer);
    marks(svg, placer);
    return svg.close();
  }

  /** A staircase: what is above it (below, for a loss) no model here reaches. */
  private void frontier(Markup svg, LabelPlacer placer) {
    List<Point> best =
        points.stream()
            .filter(Point::best)
            .sorted(Comparator.comparingDouble(Point::size))
            .toList();
    double fromX = x.at(best.getFirst().size());
    double fromY = measure.higherIsBetter() ? FRAME.bottom() : FRAME.top();
    StringBuilder path = new StringBuilder("M" + Svg.number(fromX) + " " + Svg.number(fromY));
    for (Point point : best) {
      double toX = x.at(point.size());
      double toY = y.at(point.value());
      path.append('H').append(Svg.number(toX)).append('V').append(Svg.number(toY));
      placer.avoidLine(fromX, fromY, toX, fromY);
      placer.avoidLine(toX, fromY, toX, toY);
      fromX = toX;
      fromY = toY;
    }
    path.append('H').append(Svg.number(FRAME.right()));
    placer.avoidLine(fromX, fromY, FRAME.right(), fromY);
    svg.empty("path", "class", "frontier", "d", path.toString());
  }

  private void marks(Markup svg, LabelPlacer placer) {
    points.forEach(point -> placer.avoid(x.at(point.size()), y.at(point.value()), 6));
    // The first marks are the ones the report is about: their labels choose first, and they are
    // drawn last, above the others.
    List<Markup> drawn = new ArrayList<>();
    for (Point point : points) {
      drawn.add(mark(point, placer));
    }
    drawn.reversed().forEach(svg::add);
  }

  private Markup mark(Point point, LabelPlacer placer) {
    double cx = x.at(point.size());
    double cy = y.at(point.value());
    String best = point.best() ? " best" : "";
    Markup mark = new Markup().open("g", "class", "mark " + point.role() + best, "tabindex", "0");
    mark.leaf("title", tooltip(point));
    String label = Columns.shorten(Columns.printable(point.model().name()), LABEL);
    Place place = placer.place(cx, cy, Svg.textWidth(label));
    if (place != null && place.far()) {
      Svg.line(mark, "leader", cx, cy, place.x(), place.y() - 4);
    }
    String at = "translate(" + Svg.number(cx) + " " + Svg.number(cy) + ")";
    mark.empty("circle", "class", "reach", "r", "11", "transform", at);
    mark.empty("path", "class", "dot", "d", Glyph.ofRole(point.role()), "transform", at);
    if (place != null) {
      Svg.text(mark, "label", place.x(), place.y(), place.anchor(), label);
    }
    return mark.close();
  }

  private static String tooltip(Point point) {
    Model model = point.model();
    StringBuilder text = new StringBuilder(model.name());
    text.append(point.role().equals("also") ? "" : " (" + point.role() + ")");
    String method = model.method();
    if (method != null) {
      text.append('\n').append(method);
    }
    for (Measure each : Measure.values()) {
      Double value = each.of(model);
      if (value != null) {
        text.append('\n').append(each.label()).append(' ').append(each.format(value));
      }
    }
    return text.append(point.best() ? "\non the Pareto frontier" : "").toString();
  }
}
