package dev.smelt.cli.command;

import dev.smelt.cli.Version;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.Manifest.Input;
import dev.smelt.formats.manifest.Manifest.Totals;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Puts manifests together. */
final class Manifests {

  private Manifests() {}

  /**
   * @param models that were read; sizes before are those of the first
   * @param notes to which is added what the models' files hold and the output lacks
   */
  static Manifest of(
      String command,
      Map<String, Object> parameters,
      List<Input> inputs,
      List<Checkpoint> models,
      CheckpointWriter.Content after,
      List<TensorRecord> tensors,
      List<String> notes) {
    Checkpoint before = models.getFirst();
    List<String> allNotes = new ArrayList<>(notes);
    for (Checkpoint model : models) {
      if (!model.leftOut().isEmpty()) {
        allNotes.add("left out of " + model.path() + ": " + String.join(", ", model.leftOut()));
      }
    }
    Totals totals =
        new Totals(before.bytes(), after.bytes(), before.parameters(), after.parameters());
    return new Manifest(
        Version.text(), command, parameters, inputs, totals, tensors, null, allNotes, List.of());
  }

  static Input model(Checkpoint checkpoint, String sha256) {
    return new Input("model", checkpoint.path().toString(), checkpoint.bytes(), sha256);
  }

  static Input file(String role, Path file) {
    return new Input(role, file.toString(), Storage.local().size(file), Hashing.sha256(file));
  }
}
