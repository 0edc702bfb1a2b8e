package dev.smelt.cli.command;

import dev.smelt.cli.TextTable;
import dev.smelt.cli.Units;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A manifest for people: what was done, what it saved, what to know. */
final class ManifestText {

  private ManifestText() {}

  static String of(Manifest manifest, Path target) {
    StringBuilder text = new StringBuilder();
    Manifest.Totals totals = manifest.totals();
    text.append(String.format("%s -> %s%n", manifest.command(), target));
    TextTable sizes = new TextTable("<", "before", "after", "after/before");
    sizes.row(
        "bytes of tensors",
        Units.bytes(totals.bytesBefore()),
        Units.bytes(totals.bytesAfter()),
        ratio(totals.bytesAfter(), totals.bytesBefore()));
    sizes.row(
        "parameters",
        Units.count(totals.parametersBefore()),
        Units.count(totals.parametersAfter()),
        ratio(totals.parametersAfter(), totals.parametersBefore()));
    text.append(sizes);
    List<TensorRecord> certified =
        manifest.tensors().stream().filter(record -> record.relativeError() != null).toList();
    if (!certified.isEmpty()) {
      TextTable table =
          new TextTable("tensor<", "rank", "relative error", "weighted error", "before", "after");
      for (TensorRecord record : certified) {
        table.row(
            record.name(),
            String.valueOf(record.rank()),
            error(record.relativeError()),
            error(record.weightedRelativeError()),
            Units.bytes(record.bytesBefore()),
            Units.bytes(record.bytesAfter()));
      }
      text.append('\n').append(table);
    }
    for (TensorRecord record : manifest.tensors()) {
      String reason = record.reason();
      if (reason != null) {
        text.append(record.name()).append(": ").append(reason).append('\n');
      }
    }
    for (String note : manifest.notes()) {
      text.append(note).append('\n');
    }
    return text.toString();
  }

  private static String error(@Nullable Double value) {
    return value == null ? "" : String.format(Locale.ROOT, "%.4g", value);
  }

  private static String ratio(long after, long before) {
    return before == 0 ? "" : String.format(Locale.ROOT, "%.3f", (double) after / before);
  }
}
