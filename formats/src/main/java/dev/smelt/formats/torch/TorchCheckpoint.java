package dev.smelt.formats.torch;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.huggingface.MappedCheckpoint;
import dev.smelt.formats.huggingface.WeightsFolder;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Weights as PyTorch saves them: a file on its own, or a Hugging Face folder with one or more. */
public final class TorchCheckpoint {

  private static final WeightsFolder.Naming NAMING =
      new WeightsFolder.Naming("pytorch_model.bin", "pytorch_model.bin.index.json", ".bin", false);

  private static final MappedCheckpoint.Format FORMAT =
      new MappedCheckpoint.Format() {
        @Override
        public MappedCheckpoint.WeightsFile read(Path file, Arena arena) {
          TorchFile opened = TorchFile.open(file, arena);
          return new MappedCheckpoint.WeightsFile(
              opened.kind(), opened.tensors(), opened.metadata());
        }

        @Override
        public String folderKind() {
          return "Hugging Face folder of PyTorch weights";
        }

        // Each file lists what it holds beside the model.
        @Override
        public Map<String, String> metadata(List<Map<String, String>> files) {
          Map<String, String> all = new TreeMap<>();
          files.forEach(all::putAll);
          return Collections.unmodifiableMap(all);
        }

        @Override
        public List<String> leftOut(Map<String, String> metadata) {
          return metadata.keySet().stream()
              .filter(key -> key.startsWith(TorchTensors.LEFT_OUT))
              .map(key -> key.substring(TorchTensors.LEFT_OUT.length()))
              .toList();
        }
      };

  private TorchCheckpoint() {}

  /** Whether a file begins like one of PyTorch, whatever its name. */
  public static boolean isFile(Path file) {
    return TorchFile.isTorch(file);
  }

  public static Checkpoint openFile(Path file) {
    return MappedCheckpoint.ofFile(file, FORMAT);
  }

  /** Whether a folder holds weights of PyTorch under the names that loaders look for. */
  public static boolean isFolderOf(Path folder) {
    return NAMING.isIn(folder);
  }

  public static Checkpoint openFolder(Path folder) {
    return MappedCheckpoint.ofFolder(WeightsFolder.of(folder, NAMING), FORMAT);
  }
}
