package dev.smelt.formats.huggingface;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.safetensors.SafetensorsFile;
import dev.smelt.formats.storage.Storage;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Weights in safetensors: a Hugging Face folder with one file or shards, or a file on its own. */
public final class SafetensorsCheckpoint {

  private static final WeightsFolder.Naming NAMING =
      new WeightsFolder.Naming("model.safetensors", ShardIndex.FILE, ".safetensors", true);

  private static final MappedCheckpoint.Format FORMAT =
      new MappedCheckpoint.Format() {
        @Override
        public MappedCheckpoint.WeightsFile read(Path file, Arena arena) {
          SafetensorsFile opened = SafetensorsFile.open(file, arena);
          return new MappedCheckpoint.WeightsFile(
              "safetensors file", opened.tensors(), opened.metadata());
        }

        @Override
        public String folderKind() {
          return "Hugging Face folder";
        }

        // Writers repeat their strings in every shard.
        @Override
        public Map<String, String> metadata(List<Map<String, String>> files) {
          return files.getFirst();
        }

        @Override
        public List<String> leftOut(Map<String, String> metadata) {
          return List.of();
        }
      };

  private SafetensorsCheckpoint() {}

  public static Checkpoint openFile(Path file) {
    return MappedCheckpoint.ofFile(file, FORMAT);
  }

  /** True when the folder holds safetensors weights. */
  public static boolean isFolderOf(Path folder) {
    return NAMING.isIn(folder);
  }

  /**
   * Files of neighbouring folders, {@code ../<folder>/<name>}, that the index of a folder names;
   * none of another path.
   */
  public static List<String> sharedFiles(Path path) {
    return Storage.local().isFolder(path) && isFolderOf(path)
        ? WeightsFolder.of(path, NAMING).weights().stream()
            .filter(WeightsFolder.Part::isShared)
            .map(WeightsFolder.Part::name)
            .toList()
        : List.of();
  }

  public static Checkpoint openFolder(Path folder) {
    return MappedCheckpoint.ofFolder(WeightsFolder.of(folder, NAMING), FORMAT);
  }
}
