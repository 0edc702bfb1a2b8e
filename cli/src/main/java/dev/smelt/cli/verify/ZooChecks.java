package dev.smelt.cli.verify;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Totals and values of several models that were written together, each file looked at once. */
public final class ZooChecks {

  private static final String WEIGHTS = ".safetensors";

  private ZooChecks() {}

  /** The folders of the models that the manifest lists. */
  public static List<Path> folders(Path zoo, Manifest manifest) {
    List<Manifest.ModelRecord> models = manifest.models();
    if (models == null) {
      throw new CorruptException(
          "manifest without models", zoo.toString(), "expected 'models'", "make the output again");
    }
    return models.stream().map(model -> zoo.resolve(model.name())).toList();
  }

  /** Files of the models' folders that the manifest does not list. */
  public static void strangers(Path zoo, Manifest manifest, List<String> notes) {
    Set<String> listed = new HashSet<>();
    manifest.files().forEach(file -> listed.add(file.name()));
    for (Path folder : Storage.local().folders(zoo)) {
      for (Path file : Storage.local().files(folder)) {
        String name = folder.getFileName() + "/" + file.getFileName();
        if (!listed.contains(name)) {
          notes.add(name + " is not in the manifest");
        }
      }
    }
  }

  /** Totals agree and every value is finite. */
  public static void values(Path zoo, Manifest manifest, List<Check> checks) {
    long bytes = 0;
    long parameters = 0;
    for (Manifest.WrittenFile file : manifest.files()) {
      if (file.name().endsWith(WEIGHTS)) {
        try (Checkpoint weights = Checkpoint.open(zoo.resolve(file.name()))) {
          bytes += weights.bytes();
          parameters += weights.parameters();
          FileChecks.finite(weights, file.name() + "|", checks);
        }
      }
    }
    FileChecks.totals(manifest, bytes, parameters, checks);
  }
}
