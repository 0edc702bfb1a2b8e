package dev.smelt.cli.command;

import dev.smelt.cli.text.Format;
import dev.smelt.cli.text.TextTable;
import dev.smelt.cli.text.TextTable.Cell;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The manifest of an adapter for people. */
final class DeltaText {

  /** Of tensors that fared alike; the manifest has all. */
  private static final int MOST_NAMES = 4;

  private DeltaText() {}

  static String of(Manifest manifest, Path target, int width) {
    Manifest.Totals totals = manifest.totals();
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            "delta -> %s%nmodel %s, adapter %s (%s of it)%n",
            target,
            Format.bytes(totals.bytesBefore()),
            Format.bytes(totals.bytesAfter()),
            totals.bytesBefore() == 0
                ? "-"
                : Format.fixed((double) totals.bytesAfter() / totals.bytesBefore(), 3)));
    List<TensorRecord> factored =
        manifest.tensors().stream()
            .filter(record -> record.action().equals(TensorRecord.DELTA))
            .toList();
    if (!factored.isEmpty()) {
      text.append('\n').append(table(factored).render(width, false));
    }
    text.append('\n');
    groups(manifest).forEach((how, records) -> text.append(line(how, records)));
    manifest.notes().forEach(note -> text.append(note).append('\n'));
    return text.toString();
  }

  private static TextTable table(List<TensorRecord> factored) {
    TextTable table = new TextTable("tensor");
    List.of("rank", "of the change", "weighted", "of the tensor", "before", "after")
        .forEach(table::column);
    for (TensorRecord record : factored) {
      table.row(
          record.name(),
          Arrays.asList(
              Cell.plain(String.valueOf(record.rank())),
              error(record.deltaError()),
              error(record.weightedRelativeError()),
              error(record.relativeError()),
              Cell.plain(Format.bytes(record.bytesBefore())),
              Cell.plain(Format.bytes(record.bytesAfter()))));
    }
    return table;
  }

  private static Cell error(@Nullable Double value) {
    return Cell.plain(value == null ? "" : Format.error(value));
  }

  private static Map<String, List<TensorRecord>> groups(Manifest manifest) {
    Map<String, List<TensorRecord>> groups = new LinkedHashMap<>();
    for (TensorRecord record : manifest.tensors()) {
      String reason = record.reason();
      boolean plain = record.action().equals(TensorRecord.DELTA) && reason == null;
      if (!plain) {
        String how = how(record.action()) + (reason == null ? "" : ", " + reason);
        groups.computeIfAbsent(how, key -> new ArrayList<>()).add(record);
      }
    }
    return groups;
  }

  private static String how(String action) {
    return switch (action) {
      case TensorRecord.KEPT -> "in full";
      case TensorRecord.DROPPED -> "left out";
      case TensorRecord.DELTA -> "factors";
      default -> action;
    };
  }

  /** What was left out is named to the last. */
  private static String line(String how, List<TensorRecord> records) {
    boolean all = records.getFirst().action().equals(TensorRecord.DROPPED);
    List<String> names = records.stream().map(TensorRecord::name).toList();
    int shown = all ? names.size() : Math.min(names.size(), MOST_NAMES);
    String more = shown < names.size() ? ", …" : "";
    return Format.plural(names.size(), "tensor")
        + " "
        + how
        + ": "
        + String.join(", ", names.subList(0, shown))
        + more
        + "\n";
  }
}
