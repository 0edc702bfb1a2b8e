package dev.smelt.cli.verify;

import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.huggingface.ZooFolder;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;

/**
 * Where the manifest of a checkpoint lies: smelt.json inside a folder, NAME.smelt.json beside a
 * file.
 */
public final class ManifestFile {

  private ManifestFile() {}

  /**
   * @throws NotFoundException when there is none
   */
  public static Path of(Path checkpoint) {
    Path manifest = expected(checkpoint);
    if (!Storage.local().exists(manifest)) {
      throw new NotFoundException(
          "no manifest",
          checkpoint.toString(),
          "expected " + manifest,
          isMember(checkpoint)
              ? "give the folder above, which has that of all its models"
              : "only checkpoints that smelt wrote have one");
    }
    return manifest;
  }

  /** Whether it is one of several models that were written together. */
  private static boolean isMember(Path checkpoint) {
    Path above = checkpoint.toAbsolutePath().normalize().getParent();
    return above != null && ZooFolder.isFolderOf(above);
  }

  public static boolean exists(Path checkpoint) {
    return Storage.local().exists(expected(checkpoint));
  }

  private static Path expected(Path checkpoint) {
    if (Storage.local().isFolder(checkpoint)) {
      return checkpoint.resolve(Manifest.FILE);
    }
    return checkpoint.resolveSibling(Manifest.nameBeside(String.valueOf(checkpoint.getFileName())));
  }
}
