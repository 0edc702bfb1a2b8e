package dev.smelt.formats;

import dev.smelt.formats.huggingface.SafetensorsCheckpoint;
import dev.smelt.formats.huggingface.ZooFolder;
import dev.smelt.formats.peft.Adapter;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.torch.TorchCheckpoint;
import java.nio.file.Path;

/** Recognises what a path holds and opens it. A new kind of checkpoint is one more branch here. */
final class CheckpointReaders {

  private static final String READABLE =
      "give a .safetensors or PyTorch file, or a folder with model.safetensors,"
          + " pytorch_model.bin or the index of either";

  private CheckpointReaders() {}

  static Checkpoint open(Path path) {
    Storage storage = Storage.local();
    if (!storage.exists(path)) {
      throw new NotFoundException("no such checkpoint", path.toString(), "", "check the path");
    }
    if (storage.isFolder(path)) {
      // Of a folder with both, loaders take safetensors.
      if (SafetensorsCheckpoint.isFolderOf(path)) {
        return SafetensorsCheckpoint.openFolder(path);
      }
      if (TorchCheckpoint.isFolderOf(path)) {
        return TorchCheckpoint.openFolder(path);
      }
      if (Adapter.isFolder(path)) {
        throw new UnsupportedException(
            "an adapter, not a model",
            path.toString(),
            "it holds changes to a base",
            "give its base with --base, or make a model of both with smelt expand --base");
      }
      if (ZooFolder.isFolderOf(path)) {
        throw new UnsupportedException(
            "several models, not one",
            path.toString(),
            "",
            "give one of them, such as " + ZooFolder.members(path).getFirst());
      }
      throw new UnsupportedException(
          "no weights found",
          path.toString(),
          "the folder has no weights of a known name",
          READABLE);
    }
    if (path.toString().endsWith(".safetensors")) {
      return SafetensorsCheckpoint.openFile(path);
    }
    if (TorchCheckpoint.isFile(path)) {
      return TorchCheckpoint.openFile(path);
    }
    throw new UnsupportedException(
        "not a readable checkpoint", path.toString(), "unknown kind of file", READABLE);
  }
}
