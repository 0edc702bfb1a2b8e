package dev.smelt.cli.command;

import dev.smelt.cli.text.Format;
import dev.smelt.cli.text.TextTable;
import dev.smelt.cli.text.TextTable.Cell;
import dev.smelt.formats.manifest.ClusterRecord;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.Manifest.Measured;
import dev.smelt.formats.manifest.Manifest.ModelRecord;
import dev.smelt.formats.manifest.TensorRecord;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A manifest for people: what was done, what it saved, what to know. */
final class ManifestText {

  /** Tensors of one reason that are listed one by one. */
  private static final int LISTED = 4;

  private ManifestText() {}

  static String of(Manifest manifest, Path target, int width) {
    StringBuilder text = new StringBuilder();
    text.append(manifest.command()).append(" -> ").append(target).append('\n');
    text.append(sizes(manifest.totals()).render(width, false));
    List<ModelRecord> models = manifest.models();
    if (models != null) {
      text.append('\n').append(models(models).render(width, false));
    }
    List<TensorRecord> certified =
        manifest.tensors().stream()
            .filter(
                record ->
                    (record.relativeError() != null || record.weightedRelativeError() != null)
                        && record.dampened() == null)
            .toList();
    if (!certified.isEmpty()) {
      text.append('\n').append(errors(certified).render(width, false)).append('\n');
    }
    DampenedText.of(manifest.tensors())
        .ifPresent(table -> text.append('\n').append(table.render(width, false)).append('\n'));
    List<ClusterRecord> clusters = manifest.clusters();
    if (clusters != null) {
      text.append(clusters(clusters).render(width, false)).append('\n');
    }
    List<Measured> measured = manifest.measured();
    if (measured != null) {
      text.append(measured(measured).render(width, false)).append('\n');
    }
    reasons(manifest.tensors()).forEach(line -> text.append(line).append('\n'));
    manifest.notes().forEach(note -> text.append(note).append('\n'));
    return text.toString();
  }

  /** Why tensors are what they are; of many for one reason the first and the last. */
  private static List<String> reasons(List<TensorRecord> records) {
    Map<String, List<String>> names = new LinkedHashMap<>();
    for (TensorRecord record : records) {
      if (record.reason() != null) {
        names.computeIfAbsent(record.reason(), reason -> new ArrayList<>()).add(record.name());
      }
    }
    List<String> lines = new ArrayList<>();
    names.forEach(
        (reason, tensors) -> {
          if (tensors.size() > LISTED) {
            lines.add(
                "%s and %d more to %s: %s"
                    .formatted(tensors.getFirst(), tensors.size() - 2, tensors.getLast(), reason));
          } else {
            tensors.forEach(tensor -> lines.add(tensor + ": " + reason));
          }
        });
    return lines;
  }

  private static TextTable sizes(Manifest.Totals totals) {
    TextTable table = new TextTable("");
    List.of("before", "after", "after/before").forEach(table::column);
    table.row(
        "bytes of tensors",
        cells(
            Format.bytes(totals.bytesBefore()),
            Format.bytes(totals.bytesAfter()),
            ratio(totals.bytesAfter(), totals.bytesBefore())));
    Long packed = totals.packedBytes();
    if (packed != null) {
      table.row(
          "packed",
          cells(
              Format.bytes(totals.bytesBefore()),
              Format.bytes(packed),
              ratio(packed, totals.bytesBefore())));
    }
    table.row(
        "parameters",
        cells(
            Format.count(totals.parametersBefore()),
            Format.count(totals.parametersAfter()),
            ratio(totals.parametersAfter(), totals.parametersBefore())));
    return table;
  }

  private static TextTable measured(List<Measured> measured) {
    boolean several = measured.stream().map(Measured::data).distinct().count() > 1;
    boolean perData = several && measured.stream().allMatch(one -> one.model() == null);
    TextTable table = new TextTable(perData ? "on data" : "on " + data(measured));
    List.of("bytes", "loss", "increase", "perplexity", "accuracy").forEach(table::column);
    double before = measured.getFirst().loss();
    String last = "";
    for (Measured one : measured) {
      String model = one.model() == null ? "" : one.model() + " ";
      if (perData) {
        model = Path.of(one.data()).getFileName() + ": ";
      }
      // The first of each model, or on each of several data, is the dense one.
      before = model.equals(last) ? before : one.loss();
      last = model;
      Double perplexity = one.perplexity();
      table.row(
          model + one.stage(),
          cells(
              Format.bytes(one.bytes()),
              Format.fixed(one.loss(), 4),
              Format.fixed(one.loss() - before, 4),
              perplexity == null ? "" : Format.fixed(perplexity, 3),
              Format.fixed(one.accuracy(), 4)));
    }
    return table;
  }

  private static String data(List<Measured> measured) {
    return measured.stream().map(Measured::data).distinct().collect(Collectors.joining(", "));
  }

  /** What each of several models has to itself. */
  private static TextTable models(List<ModelRecord> models) {
    TextTable table = new TextTable("model");
    List.of("before", "in its own folder").forEach(table::column);
    for (ModelRecord one : models) {
      table.row(one.name(), cells(Format.bytes(one.bytesBefore()), Format.bytes(one.bytesOwn())));
    }
    return table;
  }

  private static TextTable clusters(List<ClusterRecord> clusters) {
    TextTable table = new TextTable("shared basis");
    boolean weighted = clusters.stream().anyMatch(one -> one.weightedRelativeError() != null);
    List.of("members", "side", "rank", "error").forEach(table::column);
    if (weighted) {
      table.column("weighted error");
    }
    List.of("before", "after").forEach(table::column);
    for (ClusterRecord one : clusters) {
      List<String> row = new ArrayList<>();
      row.add(String.valueOf(one.members().size()));
      row.add(one.side());
      row.add(String.valueOf(one.rank()));
      row.add(error(one.relativeError()));
      if (weighted) {
        row.add(error(one.weightedRelativeError()));
      }
      row.add(Format.bytes(one.bytesBefore()));
      row.add(Format.bytes(one.bytesAfter()));
      table.row(one.basis(), cells(row.toArray(String[]::new)));
    }
    return table;
  }

  /** Columns are there where one of the tensors has something in them. */
  private static TextTable errors(List<TensorRecord> certified) {
    List<Column> columns =
        List.of(
            new Column("rank", record -> text(record.rank())),
            new Column("zeros", ManifestText::zeros),
            new Column("relative error", record -> error(record.relativeError())),
            new Column("weighted error", record -> error(record.weightedRelativeError())),
            new Column("predicted loss", record -> error(record.predictedLoss())),
            new Column("before", record -> Format.bytes(record.bytesBefore())),
            new Column("after", record -> Format.bytes(record.bytesAfter())));
    List<Column> used =
        columns.stream()
            .filter(
                column ->
                    certified.stream().anyMatch(record -> !column.text().apply(record).isEmpty()))
            .toList();
    TextTable table = new TextTable("tensor");
    used.forEach(column -> table.column(column.title()));
    for (TensorRecord record : certified) {
      table.row(
          record.name(),
          used.stream().map(column -> Cell.plain(column.text().apply(record))).toList());
    }
    return table;
  }

  private record Column(String title, Function<TensorRecord, String> text) {}

  private static String text(@Nullable Integer value) {
    return value == null ? "" : String.valueOf(value);
  }

  private static String zeros(TensorRecord record) {
    TensorRecord.Sparsity sparsity = record.sparsity();
    return sparsity == null ? "" : Format.fixed((double) sparsity.zeros() / sparsity.weights(), 4);
  }

  private static List<Cell> cells(String... texts) {
    return Arrays.stream(texts).map(Cell::plain).toList();
  }

  private static String error(@Nullable Double value) {
    return value == null ? "" : Format.error(value);
  }

  private static String ratio(long after, long before) {
    return before == 0 ? "" : Format.fixed((double) after / before, 3);
  }
}
