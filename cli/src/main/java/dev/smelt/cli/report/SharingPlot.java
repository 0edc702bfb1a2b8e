package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.SharedBasis;
import dev.smelt.cli.text.Columns;
import dev.smelt.cli.text.Format;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Who shares a basis with whom: a row for each kind of matrix, a column for each layer. */
final class SharingPlot {

  private static final double ROW = 40;
  private static final double TOP = 30;
  private static final double CELL = 18;

  /** Narrower cells have no room for their number. */
  private static final double LEAST_LABELLED = 16;

  private static final double MOST_WIDE = 34;

  private static final int COLOURS = 6;

  private SharingPlot() {}

  /** The place of a matrix and the basis it has. */
  private record Cell(String layer, int basis, String module) {}

  /** Null where nothing is shared. */
  static @Nullable Markup of(List<SharedBasis> shared) {
    if (shared.isEmpty()) {
      return null;
    }
    Map<String, List<Cell>> rows = new LinkedHashMap<>();
    Map<String, Integer> layers =
        new TreeMap<>(Comparator.comparingInt(String::length).thenComparing(layer -> layer));
    for (int i = 0; i < shared.size(); i++) {
      for (String module : shared.get(i).members()) {
        TensorName name = TensorName.of(module);
        layers.put(name.layer(), 0);
        rows.computeIfAbsent(name.kind(), kind -> new ArrayList<>())
            .add(new Cell(name.layer(), i, module));
      }
    }
    int column = 0;
    for (Map.Entry<String, Integer> layer : layers.entrySet()) {
      layer.setValue(column++);
    }
    double width = Math.min(MOST_WIDE, Svg.WIDTH / layers.size());
    Markup svg = Svg.open("sharing", "which matrices share a basis", TOP + rows.size() * ROW);
    Svg.text(
        svg, "name", 0, 13, "start", Format.plural(layers.size(), "layer") + ", left to right");
    double y = TOP;
    for (Map.Entry<String, List<Cell>> row : rows.entrySet()) {
      String label = Columns.printable(row.getKey());
      Svg.text(
          svg, "label", 0, y + 10, "start", ErrorPlot.fit(List.of(label), Svg.WIDTH).getFirst());
      for (int i = 0; i < layers.size(); i++) {
        Svg.rect(svg, "stripe", i * width + 1, y + 16, width - 2, CELL);
      }
      for (Cell cell : row.getValue()) {
        cell(
            svg,
            cell,
            shared.get(cell.basis()),
            layers.getOrDefault(cell.layer(), 0) * width,
            y + 16,
            width);
      }
      y += ROW;
    }
    return svg.close();
  }

  private static void cell(
      Markup svg, Cell cell, SharedBasis basis, double x, double y, double width) {
    svg.open("g", "class", "mark", "tabindex", "0");
    svg.leaf(
        "title",
        cell.module()
            + "\n"
            + basis.basis()
            + ", rank "
            + Format.count(basis.rank())
            + "\n"
            + Format.plural(basis.members().size(), "member")
            + "\n"
            + Format.bytes(basis.bytesBefore())
            + " → "
            + Format.bytes(basis.bytesAfter()));
    Svg.rect(svg, "k" + cell.basis() % COLOURS, x + 1, y, width - 2, CELL);
    if (width >= LEAST_LABELLED) {
      String number = String.valueOf(cell.basis());
      Svg.text(svg, "inside", x + width / 2, y + CELL - 5, "middle", number);
    }
    svg.close();
  }
}
