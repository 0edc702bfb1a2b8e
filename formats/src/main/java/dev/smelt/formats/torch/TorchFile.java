package dev.smelt.formats.torch;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.zip.ZipArchive;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * One mapped file of PyTorch; its views live as long as the arena it was opened in.
 *
 * @param kind in words for a person
 * @param tensors as the saved dict orders them
 * @param metadata what else is in the file
 */
record TorchFile(String kind, List<TensorView> tensors, Map<String, String> metadata) {

  /** The first byte of any pickle since protocol 2. */
  private static final byte PICKLE = (byte) 0x80;

  TorchFile {
    tensors = List.copyOf(tensors);
  }

  /** Whether the file begins like one of PyTorch, whatever its name. */
  static boolean isTorch(Path path) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment file = Storage.local().map(path, arena);
      return ZipArchive.isZip(file) || isPickle(file);
    }
  }

  private static boolean isPickle(MemorySegment file) {
    return file.byteSize() > 0 && file.get(ValueLayout.JAVA_BYTE, 0) == PICKLE;
  }

  /**
   * Reads the description of the tensors; data is mapped, not read, except of tensors that do not
   * lie contiguous.
   *
   * @throws BadInputException a typed refusal when the file is not exactly in the format
   */
  static TorchFile open(Path path, Arena arena) {
    MemorySegment file = Storage.local().map(path, arena);
    String where = path.toString();
    if (ZipArchive.isZip(file)) {
      return ZipCheckpointFile.read(file, where, arena);
    }
    if (isPickle(file)) {
      return LegacyFile.read(file, where, arena);
    }
    throw new UnsupportedException(
        "not a PyTorch file", where + "@0", "expected a zip archive or a pickle", "");
  }
}
