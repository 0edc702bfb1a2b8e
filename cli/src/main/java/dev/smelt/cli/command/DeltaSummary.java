package dev.smelt.cli.command;

import dev.smelt.cli.text.Format;
import dev.smelt.cli.text.TextTable;
import dev.smelt.cli.text.TextTable.Cell;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A whole zoo against one base and the adapters to it. Bytes are those of tensors.
 *
 * @param bytesBefore of all models, without the base
 * @param bytesAfter of all adapters, without the base
 */
record DeltaSummary(
    String base, long baseBytes, long bytesBefore, long bytesAfter, List<Model> models) {

  /**
   * One model.
   *
   * @param output folder of its adapter
   * @param factored matrices written as factors
   * @param kept tensors written in full
   * @param unchanged tensors that are the base's
   * @param leftOut tensors that differ and were not written
   * @param largestRelativeError the largest ‖W − Ŵ‖ / ‖W‖ of any tensor
   * @param largestDeltaError the largest ‖Δ − BA‖ / ‖Δ‖ of any factors
   */
  record Model(
      String model,
      String output,
      long bytesBefore,
      long bytesAfter,
      long factored,
      long kept,
      long unchanged,
      long leftOut,
      double largestRelativeError,
      double largestDeltaError,
      List<String> notes) {}

  static DeltaSummary of(
      Path basePath,
      Checkpoint base,
      List<Path> models,
      List<Path> outputs,
      List<Manifest> manifests) {
    List<Model> rows = new ArrayList<>();
    for (int i = 0; i < manifests.size(); i++) {
      rows.add(row(models.get(i), outputs.get(i), manifests.get(i)));
    }
    return new DeltaSummary(
        basePath.toString(),
        base.bytes(),
        rows.stream().mapToLong(Model::bytesBefore).sum(),
        rows.stream().mapToLong(Model::bytesAfter).sum(),
        rows);
  }

  private static Model row(Path model, Path output, Manifest manifest) {
    double relative = 0;
    double delta = 0;
    for (TensorRecord record : manifest.tensors()) {
      Double error = record.relativeError();
      Double ofDelta = record.deltaError();
      relative = Math.max(relative, error == null ? 0 : error);
      boolean factors = record.action().equals(TensorRecord.DELTA);
      delta = Math.max(delta, ofDelta == null || !factors ? 0 : ofDelta);
    }
    return new Model(
        model.toString(),
        output.toString(),
        manifest.totals().bytesBefore(),
        manifest.totals().bytesAfter(),
        count(manifest, TensorRecord.DELTA),
        count(manifest, TensorRecord.KEPT),
        count(manifest, TensorRecord.UNCHANGED),
        count(manifest, TensorRecord.DROPPED),
        relative,
        delta,
        manifest.notes());
  }

  private static long count(Manifest manifest, String action) {
    return manifest.tensors().stream().filter(record -> record.action().equals(action)).count();
  }

  String text(int width) {
    TextTable table = new TextTable("model");
    List.of(
            "model bytes",
            "adapter",
            "adapter/model",
            "factored",
            "in full",
            "left out",
            "worst of delta",
            "worst of tensor")
        .forEach(table::column);
    for (Model model : models) {
      table.row(
          model.model(),
          cells(
              Format.bytes(model.bytesBefore()),
              Format.bytes(model.bytesAfter()),
              ratio(model.bytesAfter(), model.bytesBefore()),
              Format.count(model.factored()),
              Format.count(model.kept()),
              Format.count(model.leftOut()),
              Format.error(model.largestDeltaError()),
              Format.error(model.largestRelativeError())));
    }
    long after = baseBytes + bytesAfter;
    StringBuilder text = new StringBuilder(table.render(width, false));
    text.append(
        String.format(
            "%nall models %s; base and adapters %s, %s of that%n",
            Format.bytes(bytesBefore), Format.bytes(after), ratio(after, bytesBefore)));
    for (Model model : models) {
      model
          .notes()
          .forEach(note -> text.append(model.model()).append(": ").append(note).append('\n'));
    }
    return text.toString();
  }

  private static List<Cell> cells(String... texts) {
    return Arrays.stream(texts).map(Cell::plain).toList();
  }

  private static String ratio(long after, long before) {
    return before == 0 ? "" : Format.fixed((double) after / before, 3);
  }
}
