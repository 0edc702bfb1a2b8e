package dev.smelt.formats.huggingface;

import dev.smelt.formats.ZooWriter;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;
import java.util.List;

/** A folder of models that have tensors in common, as {@link ZooWriter} makes it. */
public final class ZooFolder {

  private ZooFolder() {}

  public static boolean isFolderOf(Path path) {
    Storage storage = Storage.local();
    return storage.exists(path.resolve(Manifest.FILE))
        && storage.isFolder(path.resolve(ZooWriter.COMMON))
        && !SafetensorsCheckpoint.isFolderOf(path);
  }

  /** The folders of its models, by name. */
  public static List<Path> members(Path path) {
    return Storage.local().folders(path).stream()
        .filter(folder -> !ZooWriter.COMMON.equals(String.valueOf(folder.getFileName())))
        .filter(SafetensorsCheckpoint::isFolderOf)
        .toList();
  }
}
