package dev.smelt.formats.huggingface;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.safetensors.SafetensorsFile;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Weights in safetensors: a Hugging Face folder with one file or shards, or a file on its own. */
public final class SafetensorsCheckpoint {

  /** Loaders know plain weights by these names, and so they do not find packed ones. */
  private static final List<WeightsFolder.Naming> NAMINGS =
      Stream.of(WeightNames.PLAIN, WeightNames.PACKED)
          .map(
              names ->
                  new WeightsFolder.Naming(names.single(), names.index(), ".safetensors", true))
          .toList();

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
    return naming(folder).isPresent();
  }

  private static Optional<WeightsFolder.Naming> naming(Path folder) {
    return NAMINGS.stream().filter(naming -> naming.isIn(folder)).findFirst();
  }

  /**
   * Files of neighbouring folders, {@code ../<folder>/<name>}, that the index of a folder names;
   * none of another path.
   */
  public static List<String> sharedFiles(Path path) {
    return naming(path).stream()
        .flatMap(naming -> WeightsFolder.of(path, naming).weights().stream())
        .filter(WeightsFolder.Part::isShared)
        .map(WeightsFolder.Part::name)
        .toList();
  }

  /**
   * @param folder for which {@link #isFolderOf} holds
   */
  public static Checkpoint openFolder(Path folder) {
    WeightsFolder.Naming naming = naming(folder).orElseThrow();
    return MappedCheckpoint.ofFolder(WeightsFolder.of(folder, naming), FORMAT);
  }
}
