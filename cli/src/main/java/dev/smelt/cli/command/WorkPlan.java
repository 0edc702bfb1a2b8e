package dev.smelt.cli.command;

import dev.smelt.cli.text.Format;
import dev.smelt.cli.text.TextTable;
import dev.smelt.cli.text.TextTable.Cell;
import dev.smelt.compress.factorize.PlannedLayer;
import java.util.List;
import java.util.stream.Stream;

/**
 * What {@code factorize --dry-run} prints.
 *
 * @param seconds decomposing and certifying all layers will take
 */
record WorkPlan(List<PlannedLayer> layers, double seconds, String device) {

  static WorkPlan of(List<PlannedLayer> layers, String device) {
    return new WorkPlan(layers, layers.stream().mapToDouble(PlannedLayer::seconds).sum(), device);
  }

  String text(int width) {
    TextTable table = new TextTable("matrix");
    List.of("outputs", "inputs", "largest rank", "seconds").forEach(table::column);
    for (PlannedLayer layer : layers) {
      table.row(
          layer.module(),
          Stream.of(
                  Format.count(layer.out()),
                  Format.count(layer.in()),
                  layer.largestRank() == 0 ? "dense" : Format.count(layer.largestRank()),
                  Format.fixed(layer.seconds(), 3))
              .map(Cell::plain)
              .toList());
    }
    return table.render(width, false)
        + "\nabout %.0f s on %s, beside reading, evaluating and writing; nothing was written%n"
            .formatted(Math.ceil(seconds), device);
  }
}
