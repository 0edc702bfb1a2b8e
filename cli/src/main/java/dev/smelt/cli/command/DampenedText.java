package dev.smelt.cli.command;

import dev.smelt.cli.text.Format;
import dev.smelt.cli.text.TextTable;
import dev.smelt.cli.text.TextTable.Cell;
import dev.smelt.formats.manifest.TensorRecord;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Which tensors lost how many of their weights to dampening. */
final class DampenedText {

  private DampenedText() {}

  /** Those of which something was lowered; empty where there are none. */
  static Optional<TextTable> of(List<TensorRecord> records) {
    TextTable table = new TextTable("tensor");
    List.of("weights", "lowered", "share", "to 0", "relative error").forEach(table::column);
    boolean any = false;
    for (TensorRecord record : records) {
      TensorRecord.Dampened dampened = record.dampened();
      Double error = record.relativeError();
      if (dampened == null || error == null || dampened.lowered() == 0) {
        continue;
      }
      any = true;
      table.row(
          record.name(),
          Stream.of(
                  Format.count(dampened.weights()),
                  Format.count(dampened.lowered()),
                  Format.fixed(dampened.share(), 4),
                  Format.count(dampened.zeroed()),
                  Format.error(error))
              .map(Cell::plain)
              .toList());
    }
    return any ? Optional.of(table) : Optional.empty();
  }
}
