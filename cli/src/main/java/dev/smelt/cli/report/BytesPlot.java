package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.TensorDiff;
import dev.smelt.cli.text.Columns;
import dev.smelt.cli.text.Format;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where the bytes are: a pair of bars, before and after, for every kind of tensor. */
final class BytesPlot {

  /** The largest kinds; the others share a row. */
  private static final int MOST_KINDS = 12;

  /** So small a part of the largest kind cannot be seen as a bar. */
  private static final double LEAST_PART = 0.01;

  private static final double ROW = 38;
  private static final double TOP = 44;
  private static final double BAR = 7;

  private BytesPlot() {}

  /** All tensors of a kind, over all layers. */
  private record Kind(String name, long tensors, long before, long after) {
    Kind plus(Kind other) {
      return new Kind(name, tensors + other.tensors, before + other.before, after + other.after);
    }

    long largest() {
      return Math.max(before, after);
    }
  }

  /** Null without tensors. */
  static @Nullable Markup of(List<TensorDiff> tensors) {
    List<Kind> kinds = kinds(tensors);
    if (kinds.isEmpty()) {
      return null;
    }
    long max = kinds.stream().mapToLong(Kind::largest).max().orElseThrow();
    SizeUnit unit = SizeUnit.of(max);
    double bottom = TOP + kinds.size() * ROW;
    Axis x = Axis.fromZero(max / unit.bytes(), 6, Svg.WIDTH - 14, 5);
    Markup svg = Svg.open("bytes", "size of each kind of tensor, before and after", bottom + 6);
    Svg.text(svg, "name", x.from(), 13, "start", "size, " + unit.label());
    ErrorPlot.grid(svg, x, TOP, bottom, false);
    double y = TOP;
    for (Kind kind : kinds) {
      row(svg, x, unit, y, kind);
      y += ROW;
    }
    return svg.close();
  }

  private static void row(Markup svg, Axis x, SizeUnit unit, double y, Kind kind) {
    String name = Columns.printable(kind.name());
    String sizes = Format.bytes(kind.before());
    if (kind.before() != kind.after()) {
      sizes += " → " + Format.bytes(kind.after());
    }
    svg.open("g", "class", "mark", "tabindex", "0");
    svg.leaf("title", kind.name() + "\n" + Format.plural(kind.tensors(), "tensor") + "\n" + sizes);
    double room = Svg.WIDTH - Svg.textWidth(sizes) - 20;
    String label = ErrorPlot.fit(List.of(name), room).getFirst();
    Svg.text(svg, "label over", x.from() + 3, y + 14, "start", label);
    Svg.text(svg, "figure over", Svg.WIDTH, y + 14, "end", sizes);
    bar(svg, "bar-before", x, y + 19, kind.before() / unit.bytes());
    bar(svg, "bar", x, y + 19 + BAR, kind.after() / unit.bytes());
    svg.close();
  }

  private static void bar(Markup svg, String css, Axis x, double y, double value) {
    Svg.rect(svg, css, x.from(), y, x.at(value) - x.from(), BAR);
  }

  private static List<Kind> kinds(List<TensorDiff> tensors) {
    Map<String, Kind> byName = new LinkedHashMap<>();
    for (TensorDiff tensor : tensors) {
      String kind = TensorName.of(tensor.name()).kind();
      byName.merge(kind, new Kind(kind, 1, tensor.bytesBefore(), tensor.bytesAfter()), Kind::plus);
    }
    List<Kind> kinds = new ArrayList<>(byName.values());
    kinds.sort(Comparator.comparingLong(Kind::largest).reversed());
    long most = kinds.isEmpty() ? 0 : kinds.getFirst().largest();
    long visible = kinds.stream().filter(kind -> kind.largest() >= LEAST_PART * most).count();
    int own = (int) Math.min(visible, MOST_KINDS - 1);
    if (kinds.size() <= own + 1) {
      return kinds;
    }
    List<Kind> rest = kinds.subList(own, kinds.size());
    Kind others = new Kind(Format.plural(rest.size(), "other kind"), 0, 0, 0);
    for (Kind kind : rest) {
      others = others.plus(kind);
    }
    List<Kind> shown = new ArrayList<>(kinds.subList(0, own));
    shown.add(others);
    return shown;
  }
}
