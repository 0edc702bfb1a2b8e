package dev.smelt.formats;

import dev.smelt.formats.huggingface.SafetensorsCheckpoint;
import dev.smelt.formats.storage.Storage;
import java.nio.file.Path;

/** Recognises what a path holds and opens it. A new kind of checkpoint is one more branch here. */
final class CheckpointReaders {

  private static final String READABLE =
      "give a .safetensors file or a folder with model.safetensors or model.safetensors.index.json";

  private CheckpointReaders() {}

  static Checkpoint open(Path path) {
    Storage storage = Storage.local();
    if (!storage.exists(path)) {
      throw new NotFoundException("no such checkpoint", path.toString(), "", "check the path");
    }
    if (storage.isFolder(path)) {
      if (SafetensorsCheckpoint.isFolderOf(path)) {
        return SafetensorsCheckpoint.openFolder(path);
      }
      throw new UnsupportedException(
          "no weights found", path.toString(), "the folder has no safetensors weights", READABLE);
    }
    if (path.toString().endsWith(".safetensors")) {
      return SafetensorsCheckpoint.openFile(path);
    }
    throw new UnsupportedException(
        "not a readable checkpoint", path.toString(), "unknown kind of file", READABLE);
  }
}
