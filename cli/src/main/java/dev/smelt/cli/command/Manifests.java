package dev.smelt.cli.command;

import dev.smelt.cli.Version;
import dev.smelt.compress.delta.AdaptedModel;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.manifest.ContentHash;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.Manifest.Input;
import dev.smelt.formats.manifest.Manifest.Totals;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.peft.AdapterConfig;
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
    allNotes.addAll(leftOut(models));
    Totals totals =
        new Totals(before.bytes(), after.bytes(), before.parameters(), after.parameters());
    return Manifest.of(Version.text(), command, parameters, inputs, totals, tensors, allNotes);
  }

  /** What files of models hold and no output has. */
  static List<String> leftOut(List<Checkpoint> models) {
    return models.stream()
        .filter(model -> !model.leftOut().isEmpty())
        .map(model -> "left out of " + model.path() + ": " + String.join(", ", model.leftOut()))
        .distinct()
        .toList();
  }

  static Input model(Checkpoint checkpoint, String sha256) {
    return new Input("model", checkpoint.path().toString(), checkpoint.bytes(), sha256);
  }

  /** Of an adapter on a base: the base's tensors, and the adapter's files. */
  static List<Input> adapted(AdaptedModel model, int threads) {
    return adapted(model, ContentHash.of(model.base(), threads));
  }

  static List<Input> adapted(AdaptedModel model, String baseSha256) {
    Checkpoint base = model.base();
    List<Input> inputs = new ArrayList<>();
    inputs.add(base(base, baseSha256));
    for (Path file : model.adapter().weights().weightFiles()) {
      inputs.add(file("adapter", file));
    }
    inputs.add(file("adapter", model.path().resolve(AdapterConfig.FILE)));
    return inputs;
  }

  static Input file(String role, Path file) {
    return new Input(role, file.toString(), Storage.local().size(file), Hashing.sha256(file));
  }

  /** A model that others are changes of. */
  static Input base(Checkpoint base, String sha256) {
    return new Input("base", base.path().toString(), base.bytes(), sha256);
  }
}
